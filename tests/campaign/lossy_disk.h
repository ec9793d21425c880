// A disk whose host can lose its page cache: ext4 in a file, through a loop device. What the file
// holds at a moment is what a disk would hold if the power went: whatever was not fsynced is
// missing, and the journal of the real file system is replayed at the next mount. Its journal is
// not committed by time (commit=300), so that nothing becomes durable by waiting.
//
// Needs root for the mount; the files belong to the unprivileged user of the tests.
#pragma once

#include <cstdint>
#include <filesystem>

#include "support/temp_dir.h"

namespace barman::test {

class LossyDisk {
 public:
  // nullopt-like text: "" when such a disk can be made here, else why not.
  static std::string unavailable();

  explicit LossyDisk(std::uint64_t size_bytes);
  LossyDisk(const LossyDisk&) = delete;
  LossyDisk& operator=(const LossyDisk&) = delete;
  ~LossyDisk();

  const std::filesystem::path& path() const { return mount_point_; }
  // The power fails, and comes back. Nobody may use the disk meanwhile.
  void lose_page_cache();

 private:
  void mount() const;
  void unmount() const;

  TempDir directory_;
  std::filesystem::path image_;
  std::filesystem::path mount_point_;
};

}  // namespace barman::test
