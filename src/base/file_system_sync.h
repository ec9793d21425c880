// Makes all files of a file system durable at once: one syncfs(2) instead of an fsync of each file.
//
// Only where the kernel tells what went wrong: since Linux 5.8 syncfs reports the errors of
// write-back, of all files since the descriptor was opened, and of the file systems that are known
// to write everything with it (a FUSE server, for example, hears nothing of it). What the kernel
// cannot write of files of others is an error here, too: docs/decisions/0021.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string_view>

#include "base/fd.h"

namespace barman {

class FileSystemSync {
 public:
  // To be made before the first write: earlier errors are not its own. `directory` must exist.
  explicit FileSystemSync(const std::filesystem::path& directory);

  // Whether a file in `directory`, an open one, becomes durable with sync(). Otherwise it needs an
  // fsync of its own.
  bool covers(const Fd& directory, const std::filesystem::path& path) const;
  // Everything that was written before is durable when it returns. Throws SystemError.
  void sync() const;

 private:
  const std::filesystem::path path_;
  const Fd directory_;
  const bool is_reliable_;
  dev_t device_ = 0;
};

// Of a kernel's release, "5.10.0-8-amd64": whether its syncfs reports errors of write-back.
bool reports_write_errors(std::string_view kernel_release);

}  // namespace barman
