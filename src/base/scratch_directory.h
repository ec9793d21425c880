// A directory for files that a program needs while it runs, of this user only. It goes away with
// all that is in it; what a killed program leaves lies where the system clears up.
#pragma once

#include <filesystem>
#include <string_view>

namespace barman {

class ScratchDirectory {
 public:
  // Below $TMPDIR, "NAME-XXXXXX". Throws `io`.
  explicit ScratchDirectory(std::string_view name);
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory();

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace barman
