#include "support/immutable_disk.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/fd.h"
#include "support/command.h"
#include "support/privileges.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMakeFileSystem = "/sbin/mkfs.ext4";

struct LoopDevice {
  Fd fd;
  std::string path;
};

// Freed by the kernel when nobody has it open or mounted. Others may take the one that is free.
LoopDevice attach(const fs::path& image) {
  const Fd file = open_file(image, O_RDWR);
  const Fd control = open_file("/dev/loop-control", O_RDWR);
  for (int attempt = 0; attempt < 20; ++attempt) {
    const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) throw_errno("cannot get a loop device");
    std::string path = "/dev/loop" + std::to_string(number);
    Fd device = open_file(path, O_RDWR);
    if (::ioctl(device.get(), LOOP_SET_FD, file.get()) == 0) {
      struct loop_info64 info = {};
      info.lo_flags = LO_FLAGS_AUTOCLEAR;
      if (::ioctl(device.get(), LOOP_SET_STATUS64, &info) != 0) {
        throw_errno("cannot set up " + path);
      }
      return {.fd = std::move(device), .path = std::move(path)};
    }
    if (errno != EBUSY) throw_errno("cannot attach a file to " + path);
  }
  throw Error(ErrorKind::io, "no loop device is free");
}

void make_file_system(const fs::path& image, std::uint64_t size_bytes) {
  {
    const Fd file = open_file(image, O_RDWR | O_CREAT, 0600);
    if (::ftruncate(file.get(), static_cast<off_t>(size_bytes)) != 0) {
      throw_errno("cannot make " + image.string());
    }
  }
  run_checked({.argv = {kMakeFileSystem, "-q", "-F", "-O", "^has_journal", "-E",
                        "root_owner=" + std::to_string(getuid()) + ":" + std::to_string(getgid()),
                        image.string()}});
}

// As root. False when it was so before, or is gone.
bool set_immutable(const fs::path& path, bool wanted) {
  const std::optional<Fd> found = find_file(path);
  if (!found) return false;
  const Fd& file = *found;
  int flags = 0;
  if (::ioctl(file.get(), FS_IOC_GETFLAGS, &flags) != 0) throw_errno("cannot look at a file");
  if (((flags & FS_IMMUTABLE_FL) != 0) == wanted) return false;
  flags ^= FS_IMMUTABLE_FL;
  if (::ioctl(file.get(), FS_IOC_SETFLAGS, &flags) != 0) {
    throw_errno("cannot change whether \"" + path.string() + "\" is immutable");
  }
  return true;
}

std::size_t set_all(const fs::path& top, bool wanted, std::chrono::seconds age) {
  const ActAsRoot as_root;
  std::size_t count = 0;
  std::error_code code;  // Directories may go meanwhile.
  for (fs::recursive_directory_iterator it(top, code), end; !code && it != end;
       it.increment(code)) {
    struct stat status = {};
    if (::lstat(it->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    if (age.count() > 0 && ::time(nullptr) - status.st_ctim.tv_sec < age.count()) continue;
    if (set_immutable(it->path(), wanted)) ++count;
  }
  return count;
}

}  // namespace

bool ImmutableDisk::is_available() {
  if (!has_root() || !fs::exists(kMakeFileSystem)) return false;
  try {
    const ImmutableDisk probe(std::uint64_t{8} << 20U);
    write_text(probe.path() / "file", "x");
    const bool is_frozen = probe.freeze() == 1 && ::unlink((probe.path() / "file").c_str()) != 0;
    return is_frozen && probe.thaw(probe.path()) == 1;
  } catch (const Error&) {  // A container without loop devices, or root without the right.
    return false;
  }
}

ImmutableDisk::ImmutableDisk(std::uint64_t size_bytes)
    : image_("barman-image", TempDir::Keep::never),
      directory_("barman-immutable", TempDir::Keep::never) {
  const fs::path image = image_.path() / "ext4";
  make_file_system(image, size_bytes);
  const ActAsRoot as_root;
  const LoopDevice device = attach(image);
  if (::mount(device.path.c_str(), path().c_str(), "ext4", MS_NOSUID | MS_NODEV, nullptr) != 0) {
    throw_errno("cannot mount " + device.path);
  }
}

ImmutableDisk::~ImmutableDisk() {
  const ActAsRoot as_root;
  ::umount2(path().c_str(), MNT_DETACH);
}

std::size_t ImmutableDisk::freeze(const fs::path& top, std::chrono::seconds age) const {
  return set_all(top, true, age);
}

std::size_t ImmutableDisk::thaw(const fs::path& top) const { return set_all(top, false, {}); }

}  // namespace barman::test
