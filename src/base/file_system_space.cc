#include "base/file_system_space.h"

#include <sys/statfs.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace barman {
namespace {

// linux/magic.h has none for ZFS and bcachefs.
constexpr std::array<std::uint32_t, 3> kCompressing = {0x9123683EU, 0x2FC12FC1U, 0xCA451A4EU};

}  // namespace

std::optional<FileSystemSpace> find_space(std::filesystem::path path) {
  struct statvfs room = {};
  while (::statvfs(path.c_str(), &room) != 0) {
    if (errno != ENOENT || !path.has_parent_path() || path == path.parent_path()) {
      return std::nullopt;
    }
    path = path.parent_path();
  }
  FileSystemSpace space = {.total_bytes = std::uint64_t{room.f_blocks} * room.f_frsize,
                           .free_bytes = std::uint64_t{room.f_bavail} * room.f_frsize,
                           .may_compress = false};
  struct statfs kind = {};
  if (::statfs(path.c_str(), &kind) != 0) return std::nullopt;
  const auto type = static_cast<std::uint32_t>(kind.f_type);
  space.may_compress =
      std::find(kCompressing.begin(), kCompressing.end(), type) != kCompressing.end();
  // Some network file systems do not tell.
  if (space.total_bytes == 0) return std::nullopt;
  return space;
}

}  // namespace barman
