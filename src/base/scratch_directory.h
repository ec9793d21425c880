// A directory for files that a program needs while it runs, of this user only. It goes away with
// all that is in it; what a killed program has left is removed by the next one of the same name.
//
// A lock that the directory itself carries tells whether somebody still uses it; where a file
// system has no such locks, nothing is removed but one's own. So a name is never one that programs
// without such a lock use, too. What cannot be removed now waits for a later one (log).
#pragma once

#include <filesystem>
#include <string_view>

#include "base/fd.h"

namespace barman {

class ScratchDirectory {
 public:
  // Below $TMPDIR, "NAME-XXXXXX". Throws `io`.
  explicit ScratchDirectory(std::string_view name);
  // "PREFIXXXXXXX" in `parent`, whose other names do not begin so: all that is left there may go.
  ScratchDirectory(const std::filesystem::path& parent, std::string_view prefix);
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory();

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  Fd directory_;  // has the lock
};

}  // namespace barman
