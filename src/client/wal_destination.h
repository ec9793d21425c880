// WAL_DEST of `barman-wal-restore`: a file that has its name only when it is complete and was
// checked. Until then it is "<WAL_DEST>.part" beside it; what a killed process leaves there the
// next call for the same place overwrites.
#pragma once

#include <filesystem>

#include "base/fd.h"

namespace barman::client {

class WalDestination {
 public:
  // Creates the file beside it. A pipe or device, and a file in a directory that this user cannot
  // write, are written to directly. Throws SystemError.
  explicit WalDestination(std::filesystem::path path);
  WalDestination(const WalDestination&) = delete;
  WalDestination& operator=(const WalDestination&) = delete;
  // What was not kept goes away.
  ~WalDestination();

  const std::filesystem::path& path() const { return path_; }
  // Where to write: empty, at its beginning.
  const Fd& begin();
  // Gives it its name. Throws SystemError, for late errors of writing, too.
  void keep();
  // After a failure: no old or half file stays under the name that PostgreSQL reads.
  void remove();

 private:
  std::filesystem::path path_;
  // Empty when it is written to directly.
  std::filesystem::path temporary_;
  Fd file_;
};

}  // namespace barman::client
