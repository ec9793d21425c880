#include "restore/small_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "copy/verified_read.h"
#include "restore/destination.h"
#include "restore/directory_modes.h"
#include "restore/save_aside.h"

namespace barman::restore {
namespace fs = std::filesystem;

namespace {

constexpr const char* kMemoryDirectory = "/dev/shm";
constexpr std::uint64_t kMaxWaitingFile = std::uint64_t{1} << 20;
constexpr std::uint64_t kMaxWaitingBytes = std::uint64_t{64} << 20;

// Not Barman's own name for it: what a killed program has left of ours is removed.
constexpr std::string_view kWaitingPrefix = "barman-restore-";

fs::path place_to_wait(bool is_secret) {
  const bool has_memory = ::access(kMemoryDirectory, W_OK | X_OK) == 0;
  if (has_memory) return kMemoryDirectory;
  if (!is_secret) return fs::temp_directory_path();
  throw Error(ErrorKind::io,
              fmt::format("'{}' cannot be written: what waits of an encrypted backup to be sent "
                          "must not lie on a disk",
                          kMemoryDirectory),
              "Mount a tmpfs there.");
}

}  // namespace

SmallFiles::SmallFiles(bool is_secret, std::vector<std::string> needed)
    : directory_(place_to_wait(is_secret), kWaitingPrefix), needed_(std::move(needed)) {}

bool SmallFiles::may_want(const std::string& name, std::uint64_t size_bytes) {
  const bool is_outside = name.find('/') == std::string::npos || !is_of_cluster(name);
  return (is_outside || name.ends_with(".conf")) && size_bytes <= kMaxWaitingFile;
}

bool SmallFiles::wants(const std::string& name, std::uint64_t size_bytes) {
  if (name == kWaitingControlFile ||
      std::find(needed_.begin(), needed_.end(), name) != needed_.end()) {
    return true;
  }
  if (!may_want(name, size_bytes) || total_bytes_ + size_bytes > kMaxWaitingBytes) return false;
  total_bytes_ += size_bytes;
  return true;
}

void SmallFiles::put(const std::string& name, const copy::CopyTask& task, Progress& progress,
                     const Interrupt& interrupt) const {
  const fs::path path = directory() / name;
  make_directories(path.parent_path(), ClusterModes().directory);
  Fd file = open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, task.mode);
  set_mode(path, task.mode);
  copy::read_verified(*copy::open_source(task), task, interrupt, [&](Bytes data, std::uint64_t) {
    write_full(file, data, path);
    progress.advance(data.size());
  });
  if (task.modified) {
    const std::array<timespec, 2> times = {*task.modified, *task.modified};
    if (::futimens(file.get(), times.data()) != 0) {
      throw_errno(fmt::format("cannot set the time of \"{}\"", path.string()));
    }
  }
  file.close(path);
}

void SmallFiles::send(pipeline::TarWriter& archive) const {
  walk_directory(directory(), [&](const fs::path& path, EntryKind) {
    send_file(path, path.lexically_relative(directory()).string(), archive);
    return Descend::yes;
  });
}

void SmallFiles::send_file(const fs::path& path, const std::string& name,
                           pipeline::TarWriter& archive) const {
  struct stat status = {};
  if (::lstat(path.c_str(), &status) != 0) {
    throw_errno(fmt::format("cannot look at \"{}\"", path.string()));
  }
  const bool is_directory = S_ISDIR(status.st_mode);
  if (is_directory && sent_directories_.contains(name)) return;
  archive.begin_member(
      {.path = name,
       .type = is_directory ? pipeline::TarMemberType::directory : pipeline::TarMemberType::regular,
       .mode = status.st_mode & 07777,
       .size_bytes = static_cast<std::uint64_t>(status.st_size),
       .mtime = status.st_mtim.tv_sec,
       .link_target = {}});
  if (is_directory) return;
  const Fd file = open_file(path, O_RDONLY | O_NOFOLLOW);
  std::uint64_t sent = 0;
  while (const std::size_t size = read_full_at(file, copy::worker_buffer(), sent, path)) {
    archive.write(Bytes(copy::worker_buffer()).first(size));
    sent += size;
  }
  archive.end_member();
}

}  // namespace barman::restore
