#include "support/temp_dir.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "support/privileges.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

bool test_has_failed(int exceptions_before) {
  const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
  // An exception that leaves the test becomes a failure only after the destructors have run.
  return std::uncaught_exceptions() > exceptions_before ||
         (test != nullptr && test->result()->Failed());
}

std::string mount_options(std::uint64_t size_bytes) {
  return fmt::format("size={},mode=0700,uid={},gid={}", size_bytes, getuid(), getgid());
}

}  // namespace

TempDir::TempDir(std::string_view name, Keep keep)
    : keep_(keep), exceptions_before_(std::uncaught_exceptions()) {
  std::string pattern =
      (std::filesystem::temp_directory_path() / fmt::format("{}-XXXXXX", name)).string();
  if (mkdtemp(pattern.data()) == nullptr) throw_errno("cannot create directory " + pattern);
  path_ = pattern;
}

TempDir::~TempDir() {
  const bool wanted = std::getenv("BARMAN_KEEP") != nullptr || test_has_failed(exceptions_before_);
  if (keep_ == Keep::on_failure && wanted) {
    std::cerr << "[   KEPT   ] " << path_.string() << std::endl;
    return;
  }
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

bool Tmpfs::is_available() {
  if (!has_root()) return false;
  try {
    const Tmpfs probe(1 << 20);
    return true;
  } catch (const SystemError&) {  // root without the right to mount, as in some containers
    return false;
  }
}

Tmpfs::Tmpfs(std::uint64_t size_bytes) : directory_("barman-tmpfs", TempDir::Keep::never) {
  const std::string options = mount_options(size_bytes);
  const ActAsRoot as_root;
  if (mount("tmpfs", path().c_str(), "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
    throw_errno("cannot mount a tmpfs on " + path().string());
  }
}

Tmpfs::~Tmpfs() {
  const ActAsRoot as_root;
  umount2(path().c_str(), MNT_DETACH);
}

void Tmpfs::fill_up(std::uint64_t left_bytes) const {
  std::ofstream filler(path() / "filler", std::ios::binary);
  const std::string page(4096, 'x');
  while (free_bytes() > left_bytes && filler.write(page.data(), 4096)) filler.flush();
}

std::uint64_t Tmpfs::free_bytes() const {
  struct statfs facts {};
  if (statfs(path().c_str(), &facts) != 0) throw_errno("cannot ask the size of the tmpfs");
  return facts.f_bavail * static_cast<std::uint64_t>(facts.f_bsize);
}

void Tmpfs::resize(std::uint64_t size_bytes) { remount(0, mount_options(size_bytes)); }

void Tmpfs::allow_no_more_files() {
  struct statfs facts {};
  if (statfs(path().c_str(), &facts) != 0) throw_errno("cannot ask the size of the tmpfs");
  remount(0, "nr_inodes=" + std::to_string(facts.f_files - facts.f_ffree));
}

void Tmpfs::make_read_only() { remount(MS_RDONLY, ""); }

void Tmpfs::remount(unsigned long flags, const std::string& options) {
  const ActAsRoot as_root;
  flags |= MS_REMOUNT | MS_NOSUID | MS_NODEV;
  if (mount("tmpfs", path().c_str(), "tmpfs", flags, options.c_str()) != 0) {
    throw_errno("cannot remount the tmpfs on " + path().string());
  }
}

void write_text(const std::filesystem::path& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) throw Error(ErrorKind::io, "cannot write " + path.string());
}

std::string read_text(const std::filesystem::path& path) { return read_file(path); }

void flip_bit(const fs::path& path, std::size_t offset) {
  std::string content = read_text(path);
  content.at(offset) = static_cast<char>(content.at(offset) ^ 1);
  write_text(path, content);
}

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  if (!fs::exists(directory)) return names;
  for (const auto& entry : fs::directory_iterator(directory)) {
    names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace barman::test
