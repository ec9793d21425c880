// The room of a file system.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace barman {

struct FileSystemSpace {
  std::uint64_t total_bytes = 0;
  // For users other than root.
  std::uint64_t free_bytes = 0;
  // Files may take less than their size (btrfs, ZFS): nobody knows how much fits.
  bool may_compress = false;
};

// Of the file system of `path`, or of the nearest directory above it that there is; nullopt when
// nobody can tell.
std::optional<FileSystemSpace> find_space(std::filesystem::path path);

}  // namespace barman
