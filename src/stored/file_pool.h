// Files that are read in pieces by several threads, and of which only some are open at a time: a
// chain of backups may have hundreds of archives, and a process 1024 descriptors.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>

#include "base/fd.h"

namespace barman::stored {

// How many stay open, of all in the process.
inline constexpr std::size_t kMostOpenFiles = 128;

class PooledFile {
 public:
  // Opened already; closed when others are needed more.
  PooledFile(Fd file, std::filesystem::path path);
  PooledFile(const PooledFile&) = delete;
  PooledFile& operator=(const PooledFile&) = delete;
  ~PooledFile();

  // Open as long as the pointer is held. Opens it again when it was closed; throws `corrupt` when
  // another file has its name by now. By any thread.
  std::shared_ptr<const Fd> get() const;

 private:
  const std::filesystem::path path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

// For tests.
std::size_t count_pooled_files();

}  // namespace barman::stored
