// A file system on which files become immutable, as on WORM storage: ext4 on a loop device, and
// `chattr +i` in the place of the grace time that is over.
//   if (!ImmutableDisk::is_available()) GTEST_SKIP() << ImmutableDisk::kUnavailable;
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>

#include "support/temp_dir.h"

namespace barman::test {

class ImmutableDisk {
 public:
  static constexpr const char* kUnavailable =
      "an ext4 with immutable files needs root, a loop device and mkfs.ext4 (e2fsprogs)";
  static bool is_available();

  explicit ImmutableDisk(std::uint64_t size_bytes);
  ImmutableDisk(const ImmutableDisk&) = delete;
  ImmutableDisk& operator=(const ImmutableDisk&) = delete;
  ~ImmutableDisk();

  const std::filesystem::path& path() const { return directory_.path(); }
  // The files below `top` that nobody has touched for so long cannot be changed, renamed, linked
  // and removed any more; how many there are.
  std::size_t freeze(const std::filesystem::path& top, std::chrono::seconds age = {}) const;
  std::size_t freeze() const { return freeze(path()); }
  // Their time is over.
  std::size_t thaw(const std::filesystem::path& top) const;

 private:
  TempDir image_;
  TempDir directory_;
};

}  // namespace barman::test
