#include "pipeline/file_writers.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/error.h"
#include "base/umask.h"

namespace barman::pipeline {
namespace {

namespace fs = std::filesystem;

// More do not make a batch cheaper, and other threads have nothing to do meanwhile.
constexpr std::size_t kMaxFilesInBatch = 64;

void remove_old_file(const NewFile& file) {
  struct stat status = {};
  if (::fstatat(file.parent->get(), file.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (S_ISREG(status.st_mode)) ::unlinkat(file.parent->get(), file.name.c_str(), 0);
}

}  // namespace

FileWriters::FileWriters(const fs::path& directory, std::size_t worker_count)
    : file_system_(directory),
      umask_(current_umask()),
      blocks_(std::make_shared<BlockPool>(kMaxBlocks)),
      workers_(worker_count) {}

FileWriters::~FileWriters() = default;

void FileWriters::add_root(const fs::path& root) {
  Fd fd = open_file(root, O_RDONLY | O_DIRECTORY);
  if (!file_system_.covers(fd, root)) {
    syncs_each_ = true;
    return;
  }
  flushed_roots_.emplace_back(std::move(fd), root);
}

BlockPool::Handle FileWriters::take_block() {
  // Nothing more needs to be written; this throws the failure.
  if (workers_.has_failed()) workers_.wait();
  return blocks_->take();
}

void FileWriters::begin(NewFile file) {
  left_bytes_ = file.size_bytes;
  if (file.size_bytes > kBlockSize) {
    large_ = std::make_shared<BlockFile>(create(file), file.path, file.size_bytes,
                                         [this, path = file.path, mtime = file.mtime](
                                             Fd& fd, std::uint64_t) { finish(fd, path, mtime); });
    return;
  }
  if (batch_.size_bytes + file.size_bytes > kBlockSize || batch_.files.size() == kMaxFilesInBatch) {
    submit_batch();
  }
  if (!batch_.block) batch_.block = take_block();
  batch_.files.push_back({std::move(file), batch_.size_bytes});
}

void FileWriters::write(Bytes data) {
  if (data.size() > left_bytes_) {
    throw Error(ErrorKind::internal, "a file has more content than was announced");
  }
  left_bytes_ -= data.size();
  if (!large_) {
    std::memcpy(batch_.block->bytes.data() + batch_.size_bytes, data.data(), data.size());
    batch_.size_bytes += data.size();
    return;
  }
  while (!data.empty()) {
    if (!block_) block_ = take_block();
    const std::size_t size = std::min(data.size(), kBlockSize - fill_);
    std::memcpy(block_->bytes.data() + fill_, data.data(), size);
    fill_ += size;
    data = data.subspan(size);
    if (fill_ == kBlockSize) submit_block();
  }
}

void FileWriters::end() {
  if (left_bytes_ != 0) {
    throw Error(ErrorKind::internal, "a file has less content than was announced");
  }
  if (!large_) return;
  if (fill_ > 0) submit_block();
  large_->close();
  large_.reset();
}

void FileWriters::submit_block() {
  large_->write(workers_, std::exchange(block_, {}), std::exchange(fill_, 0));
}

void FileWriters::submit_batch() {
  if (batch_.files.empty()) return;
  // Shared, because tasks are copied.
  workers_.submit([this, batch = std::make_shared<const Batch>(std::exchange(batch_, {}))] {
    write_batch(*batch);
  });
}

void FileWriters::write_batch(const Batch& batch) const {
  for (const SmallFile& small : batch.files) {
    Fd fd = create(small.file);
    write_full(fd, Bytes(batch.block->bytes).subspan(small.offset, small.file.size_bytes),
               small.file.path);
    finish(fd, small.file.path, small.file.mtime);
  }
}

Fd FileWriters::create(const NewFile& file) const {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  Fd fd(::openat(file.parent->get(), file.name.c_str(), kFlags, file.mode));
  if (!fd.is_open() && errno == EEXIST) {
    remove_old_file(file);
    fd = Fd(::openat(file.parent->get(), file.name.c_str(), kFlags, file.mode));
  }
  if (!fd.is_open()) throw_errno(fmt::format("cannot create file \"{}\"", file.path.string()));
  if ((file.mode & umask_) != 0 && ::fchmod(fd.get(), file.mode) != 0) {
    throw_errno(fmt::format("cannot set permissions of \"{}\"", file.path.string()));
  }
  return fd;
}

void FileWriters::finish(Fd& fd, const fs::path& path, std::optional<std::int64_t> mtime) const {
  if (mtime) {
    const timespec time = {.tv_sec = static_cast<std::time_t>(*mtime), .tv_nsec = 0};
    const std::array<timespec, 2> times = {time, time};
    if (::futimens(fd.get(), times.data()) != 0) {
      throw_errno(fmt::format("cannot set the time of \"{}\"", path.string()));
    }
  }
  if (syncs_each_) sync_fd(fd, path);
  fd.close(path);
}

void FileWriters::add_directory(const fs::path& path) {
  if (!syncs_each_) return;
  // fsync of directories is not known everywhere.
  workers_.submit([path] { sync_directory(path); });
}

void FileWriters::wait() {
  submit_batch();
  workers_.wait();
  if (flushed_roots_.empty()) return;
  file_system_.sync();
  // Old kernels do not tell here that the journal could not be written; it has failed then, and
  // does not take anything more.
  for (const auto& [fd, path] : flushed_roots_) sync_fd(fd, path);
}

}  // namespace barman::pipeline
