#include "campaign/lossy_disk.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"
#include "support/command.h"
#include "support/eventually.h"
#include "support/privileges.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

constexpr int kAttempts = 50;

// Somebody else may take the free device between the two calls.
std::string attach(const fs::path& image, Fd& device) {
  const Fd control = open_file("/dev/loop-control", O_RDWR);
  const Fd file = open_file(image, O_RDWR);
  for (int attempt = 0;; ++attempt) {
    const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) throw_errno("cannot get a loop device");
    const std::string name = fmt::format("/dev/loop{}", number);
    device = open_file(name, O_RDWR);
    loop_config config = {};
    config.fd = static_cast<__u32>(file.get());
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    if (::ioctl(device.get(), LOOP_CONFIGURE, &config) == 0) return name;
    if (errno != EBUSY || attempt == kAttempts) throw_errno("cannot use " + name);
  }
}

}  // namespace

std::string LossyDisk::unavailable() {
  if (!has_root()) return "mounting a disk needs root";
  try {
    const LossyDisk probe(std::uint64_t{16} << 20);
    return {};
  } catch (const Error& error) {  // no loop devices, as in some containers
    return error.describe();
  }
}

LossyDisk::LossyDisk(std::uint64_t size_bytes)
    : directory_("barman-disk", TempDir::Keep::never),
      image_(directory_.path() / "disk"),
      mount_point_(directory_.path() / "mnt") {
  fs::create_directory(mount_point_);
  open_file(image_, O_RDWR | O_CREAT, 0600).close(image_);
  fs::resize_file(image_, size_bytes);
  run_checked({.argv = {"/sbin/mkfs.ext4", "-q", "-F", "-E",
                        fmt::format("lazy_itable_init=0,root_owner={}:{}", ::getuid(), ::getgid()),
                        image_}});
  mount();
}

LossyDisk::~LossyDisk() {
  // What cannot be unmounted now is when its last user ends.
  const ActAsRoot as_root;
  if (::umount2(mount_point_.c_str(), 0) != 0) ::umount2(mount_point_.c_str(), MNT_DETACH);
}

void LossyDisk::mount() const {
  const ActAsRoot as_root;
  Fd device;
  const std::string name = attach(image_, device);
  if (::mount(name.c_str(), mount_point_.c_str(), "ext4", MS_NOATIME | MS_NOSUID | MS_NODEV,
              "commit=300") != 0) {
    throw_errno(fmt::format("cannot mount {} on {}", name, mount_point_.string()));
  }
}

void LossyDisk::unmount() const {
  const ActAsRoot as_root;
  const bool is_done = eventually([&] { return ::umount2(mount_point_.c_str(), 0) == 0; });
  if (!is_done) throw_errno("cannot unmount " + mount_point_.string());
}

void LossyDisk::lose_page_cache() {
  const fs::path survivor = image_.string() + ".survivor";
  run_checked({.argv = {"cp", "--sparse=always", image_, survivor}});
  // This writes everything to the old image, which nobody reads any more.
  unmount();
  fs::rename(survivor, image_);
  mount();
}

}  // namespace barman::test
