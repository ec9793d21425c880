#include "base/file_system_sync.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/error.h"

namespace barman {
namespace {

#ifndef XFS_SUPER_MAGIC
constexpr long XFS_SUPER_MAGIC = 0x58465342;
#endif

// EXT4 stands for ext2 and ext3, too.
constexpr std::array<long, 4> kKnownFileSystems = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC,
                                                   BTRFS_SUPER_MAGIC, TMPFS_MAGIC};

bool is_reliable(const Fd& directory, const std::filesystem::path& path) {
  struct utsname system = {};
  if (::uname(&system) != 0 || !reports_write_errors(system.release)) return false;
  struct statfs file_system = {};
  if (::fstatfs(directory.get(), &file_system) != 0) {
    throw_errno("cannot look at the file system of \"" + path.string() + "\"");
  }
  return std::any_of(kKnownFileSystems.begin(), kKnownFileSystems.end(),
                     [&](long magic) { return file_system.f_type == magic; });
}

dev_t device_of(const Fd& directory, const std::filesystem::path& path) {
  struct stat status = {};
  if (::fstat(directory.get(), &status) != 0) {
    throw_errno("cannot access \"" + path.string() + "\"");
  }
  return status.st_dev;
}

}  // namespace

bool reports_write_errors(std::string_view kernel_release) {
  constexpr int kMajor = 5;
  constexpr int kMinor = 8;
  int major = 0;
  int minor = 0;
  const char* const end = kernel_release.data() + kernel_release.size();
  const auto [dot, error] = std::from_chars(kernel_release.data(), end, major);
  if (error != std::errc() || dot == end || *dot != '.') return false;
  if (std::from_chars(dot + 1, end, minor).ec != std::errc()) return false;
  return major > kMajor || (major == kMajor && minor >= kMinor);
}

FileSystemSync::FileSystemSync(const std::filesystem::path& directory)
    : path_(directory),
      directory_(open_file(directory, O_RDONLY | O_DIRECTORY)),
      is_reliable_(is_reliable(directory_, directory)),
      device_(device_of(directory_, directory)) {}

bool FileSystemSync::covers(const Fd& directory, const std::filesystem::path& path) const {
  return is_reliable_ && device_of(directory, path) == device_;
}

void FileSystemSync::sync() const {
  if (::syncfs(directory_.get()) != 0) {
    throw_errno("cannot write the file system of \"" + path_.string() + "\" to its disk");
  }
}

}  // namespace barman
