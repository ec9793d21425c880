#include "copy/file_copier.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/umask.h"
#include "copy/verified_read.h"
#include "pipeline/bulk_writer.h"

namespace barman::copy {
namespace {

// Between two looks at the interrupt when the kernel copies.
constexpr std::size_t kKernelCopyStep = std::size_t{8} << 20;

constexpr std::size_t kFlusherCount = 8;

// A group is filled while the next one is made: large enough that waking a worker does not count.
constexpr std::size_t kGroupFiles = 32;
constexpr std::uint64_t kGroupBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kGroupedFileBytes = std::uint64_t{1} << 16;

// What is written of an existing file when something in it differs.
constexpr std::size_t kComparedBlock = 8192;

// What share or copy calls say when it is not possible between these two files.
bool is_unsupported(int error_number) {
  constexpr std::array kUnsupported = {EXDEV, EOPNOTSUPP, ENOTTY, EINVAL, ENOSYS, EPERM, EBADF};
  return std::find(kUnsupported.begin(), kUnsupported.end(), error_number) != kUnsupported.end();
}

// A file that has other names as well, in another cluster perhaps (pg_upgrade --link), is not to be
// written through this one.
void separate(const std::filesystem::path& path) {
  struct stat status = {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_nlink < 2) {
    return;
  }
  if (::unlink(path.c_str()) != 0) throw_errno(fmt::format("cannot remove \"{}\"", path.string()));
}

// What lies at the destination.
class PresentFile final : public stored::ContentFile {
 public:
  PresentFile(const Fd& file, const std::filesystem::path& path) : file_(file), path_(path) {}
  std::size_t read_at(std::uint64_t offset, MutableBytes buffer) override {
    return read_full_at(file_, buffer, offset, path_);
  }
  std::uint64_t size_bytes() const override { return size_of(file_, path_); }

  static std::uint64_t size_of(const Fd& file, const std::filesystem::path& path) {
    struct stat status = {};
    if (::fstat(file.get(), &status) != 0) {
      throw_errno(fmt::format("cannot look at \"{}\"", path.string()));
    }
    return static_cast<std::uint64_t>(status.st_size);
  }

 private:
  const Fd& file_;
  const std::filesystem::path& path_;
};

}  // namespace

FileCopier::FileCopier(const CopyOptions& options, Progress& progress, const Interrupt& interrupt)
    : options_(options),
      progress_(progress),
      interrupt_(interrupt),
      throttle_(options.bandwidth_limit),
      umask_(current_umask()),
      flushers_(kFlusherCount),
      workers_(options.worker_count) {}

void FileCopier::submit(CopyTask task) {
  interrupt_.throw_if_requested();
  // Nothing more needs to be read; this throws the failure.
  if (workers_.has_failed()) workers_.wait();
  if (!task.is_at_hand || task.size_bytes > kGroupedFileBytes) {
    workers_.submit([this, task = std::move(task)] { copy(task); });
    return;
  }
  group_bytes_ += task.size_bytes;
  group_.push_back(std::move(task));
  if (group_.size() == kGroupFiles || group_bytes_ >= kGroupBytes) submit_group();
}

void FileCopier::submit_group() {
  if (group_.empty()) return;
  // Shared, because tasks of the pool are copied.
  workers_.submit([this, group = std::make_shared<const Group>(std::exchange(group_, {}))] {
    copy_group(*group);
  });
  group_bytes_ = 0;
}

void FileCopier::copy_group(const Group& group) {
  interrupt_.throw_if_requested();
  if (flushers_.has_failed()) return;  // wait() tells
  std::vector<Created> files;
  files.reserve(group.size());
  {
    Directory directory;
    const std::lock_guard lock(creating_);
    for (const CopyTask& task : group) files.push_back(create(task, &directory));
  }
  for (std::size_t i = 0; i < group.size(); ++i) {
    interrupt_.throw_if_requested();
    fill(group[i], std::move(files[i]));
  }
}

void FileCopier::add_root(const std::filesystem::path& path) { roots_.emplace_back(path); }

bool FileCopier::is_flushed_at_end(const Fd& fd, const std::filesystem::path& path) const {
  return std::any_of(roots_.begin(), roots_.end(),
                     [&](const Root& root) { return root.file_system.covers(fd, path); });
}

void FileCopier::add_directory(std::filesystem::path path) {
  directories_.push_back(std::move(path));
}

void FileCopier::wait() {
  submit_group();
  workers_.wait();
  for (const std::filesystem::path& path : directories_) {
    Fd directory = open_file(path, O_RDONLY | O_DIRECTORY);
    if (!is_flushed_at_end(directory, path)) flush_later(std::move(directory), path);
  }
  flushers_.wait();
  for (const Root& root : roots_) {
    const Fd directory = open_file(root.path, O_RDONLY | O_DIRECTORY);
    if (!root.file_system.covers(directory, root.path)) continue;
    root.file_system.sync();
    // Old kernels do not tell in it that the journal could not be written.
    sync_fd(directory, root.path);
  }
}

void FileCopier::flush_later(Fd fd, const std::filesystem::path& path) {
  // Shared, because tasks are copied.
  flushers_.submit([file = std::make_shared<Fd>(std::move(fd)), path] {
    sync_fd(*file, path);
    file->close(path);
  });
}

void FileCopier::copy(const CopyTask& task) {
  interrupt_.throw_if_requested();
  if (flushers_.has_failed()) return;  // wait() tells
  fill(task, create(task, nullptr));
}

void FileCopier::fill(const CopyTask& task, Created created) {
  Fd& destination = created.file;
  if (!task.updates_existing || !is_right_already(destination, task)) {
    const std::unique_ptr<stored::ContentFile> source = open_source(task);
    PresentFile present(destination, task.destination);
    if (task.updates_existing) {
      if (!is_proved(*source, present, task)) update_content(*source, destination, task);
    } else {
      copy_content(*source, destination, task);
    }
  }
  if (task.minimum_size_bytes > task.size_bytes &&
      ::ftruncate(destination.get(), static_cast<off_t>(task.minimum_size_bytes)) != 0) {
    throw_errno(fmt::format("cannot extend \"{}\"", task.destination.string()));
  }
  if (task.modified) {
    const std::array<timespec, 2> times = {*task.modified, *task.modified};
    if (::futimens(destination.get(), times.data()) != 0) {
      throw_errno(fmt::format("cannot set the time of \"{}\"", task.destination.string()));
    }
  }
  if (task.size_bytes < pipeline::BulkWriter::kMinimumSize && created.is_flushed_at_end) {
    destination.close(task.destination);
  } else {
    flush_later(std::move(destination), task.destination);
  }
}

void FileCopier::enter_directory_of(const CopyTask& task, Directory& directory) const {
  const std::string_view path = task.destination.native();
  const std::string_view parent = path.substr(0, path.rfind('/') + 1);
  if (directory.fd.is_open() && directory.path == parent) return;
  directory.path = parent.empty() ? "./" : parent;
  directory.fd = open_file(directory.path, O_RDONLY | O_DIRECTORY);
  directory.is_flushed_at_end = is_flushed_at_end(directory.fd, directory.path);
}

FileCopier::Created FileCopier::create(const CopyTask& task, Directory* group) const {
  if (!task.updates_existing) {
    constexpr int kNew = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    Fd created;
    if (group == nullptr) {
      created = Fd(::open(task.destination.c_str(), kNew, task.mode));
    } else {
      enter_directory_of(task, *group);
      const char* const name = task.destination.c_str() + task.destination.native().rfind('/') + 1;
      created = Fd(::openat(group->fd.get(), name, kNew, task.mode));
    }
    if (created.is_open() && (task.mode & umask_) == 0) {
      const bool is_flushed = group != nullptr ? group->is_flushed_at_end
                                               : is_flushed_at_end(created, task.destination);
      return {.file = std::move(created), .is_flushed_at_end = is_flushed};
    }
    if (!created.is_open() && errno != EEXIST) {
      throw_errno(fmt::format("cannot open \"{}\"", task.destination.string()));
    }
  } else {
    separate(task.destination);
  }
  const int how = task.updates_existing ? O_RDWR | O_CREAT | O_NOFOLLOW
                                        : O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW;
  Fd destination = open_file(task.destination, how, task.mode);
  // The umask must not take away what the cluster's own files grant.
  if (::fchmod(destination.get(), task.mode) != 0) {
    throw_errno(fmt::format("cannot set permissions of \"{}\"", task.destination.string()));
  }
  const bool is_flushed = is_flushed_at_end(destination, task.destination);
  return {.file = std::move(destination), .is_flushed_at_end = is_flushed};
}

void FileCopier::copy_content(stored::ContentFile& source, const Fd& destination,
                              const CopyTask& task) {
  const Fd* const on_disk = source.descriptor();
  const bool needs_digest = algorithm_for(task) != DigestAlgorithm::none || task.on_checksum;
  if (on_disk != nullptr && task.size_bytes > 0 && share_blocks(*on_disk, destination)) {
    const std::uint64_t shared = PresentFile::size_of(destination, task.destination);
    if (shared != task.size_bytes) throw wrong_size(task, shared);
    if (needs_digest) {
      copy_through_buffer(source, nullptr, task);
    } else {
      progress_.advance(task.size_bytes);
    }
    return;
  }
  if (on_disk != nullptr && !needs_digest && !options_.bandwidth_limit.is_set() &&
      copy_in_kernel(*on_disk, destination, task)) {
    return;
  }
  copy_through_buffer(source, &destination, task);
}

bool FileCopier::is_right_already(const Fd& destination, const CopyTask& task) {
  const DigestAlgorithm algorithm = algorithm_for(task);
  if (algorithm == DigestAlgorithm::none || task.on_checksum ||
      PresentFile::size_of(destination, task.destination) != task.size_bytes) {
    return false;
  }
  Digest digest(algorithm);
  const MutableBytes buffer = worker_buffer();
  std::uint64_t offset = 0;
  while (const std::size_t size = read_full_at(destination, buffer, offset, task.destination)) {
    interrupt_.throw_if_requested();
    digest.update(Bytes(buffer).first(size));
    offset += size;
  }
  if (digest.finish() != task.expected->checksum) return false;
  note_kept(task.size_bytes);
  return true;
}

// Of files that no manifest lists. What is right of one that is not is not read from the backup.
bool FileCopier::is_proved(stored::ContentFile& source, stored::ContentFile& present,
                           const CopyTask& task) {
  if (!task.on_checksum || present.size_bytes() == 0) return false;
  const std::optional<pipeline::JudgedCopy> judged = source.judge(present);
  source.borrow(present);
  if (!judged || !judged->is_right || present.size_bytes() != task.size_bytes) return false;
  task.on_checksum(task.size_bytes, judged->crc32c);
  note_kept(task.size_bytes);
  return true;
}

void FileCopier::note_kept(std::uint64_t size_bytes) {
  kept_bytes_ += size_bytes;
  progress_.advance(size_bytes);
}

void FileCopier::update_content(stored::ContentFile& source, const Fd& destination,
                                const CopyTask& task) {
  read_through(source, task, [&](Bytes data, std::uint64_t offset) {
    kept_bytes_ += data.size() - write_differences(destination, data, offset, task);
  });
  if (::ftruncate(destination.get(), static_cast<off_t>(task.size_bytes)) != 0) {
    throw_errno(fmt::format("cannot cut \"{}\" to its size", task.destination.string()));
  }
}

// Returns how many bytes were written.
std::uint64_t FileCopier::write_differences(const Fd& destination, Bytes data, std::uint64_t offset,
                                            const CopyTask& task) {
  thread_local std::vector<std::byte> present(worker_buffer().size());
  const std::size_t there =
      read_full_at(destination, MutableBytes(present).first(data.size()), offset, task.destination);
  std::uint64_t written = 0;
  for (std::size_t begin = 0; begin < data.size(); begin += kComparedBlock) {
    const std::size_t size = std::min(kComparedBlock, data.size() - begin);
    const Bytes block = data.subspan(begin, size);
    if (begin + size <= there && std::equal(block.begin(), block.end(),
                                            present.begin() + static_cast<std::ptrdiff_t>(begin))) {
      continue;
    }
    write_full_at(destination, block, offset + begin, task.destination);
    written += size;
  }
  return written;
}

bool FileCopier::share_blocks(const Fd& source, const Fd& destination) {
  if (!can_share_) return false;
  if (::ioctl(destination.get(), FICLONE, source.get()) == 0) return true;
  if (!is_unsupported(errno)) return false;  // copying tells more exactly what is wrong
  can_share_ = false;
  return false;
}

bool FileCopier::copy_in_kernel(const Fd& source, const Fd& destination, const CopyTask& task) {
  std::uint64_t copied = 0;
  for (;;) {
    interrupt_.throw_if_requested();
    const ssize_t size =
        ::copy_file_range(source.get(), nullptr, destination.get(), nullptr, kKernelCopyStep, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && copied == 0 && is_unsupported(errno)) return false;
    if (size < 0) {
      throw_errno(fmt::format("cannot copy \"{}\" to \"{}\"", task.source.string(),
                              task.destination.string()));
    }
    if (size == 0) break;
    copied += static_cast<std::uint64_t>(size);
    progress_.advance(static_cast<std::uint64_t>(size));
  }
  if (copied != task.size_bytes) throw wrong_size(task, copied);
  return true;
}

void FileCopier::copy_through_buffer(stored::ContentFile& source, const Fd* destination,
                                     const CopyTask& task) {
  std::optional<pipeline::BulkWriter> writer;
  if (destination != nullptr) writer.emplace(*destination, task.destination, task.size_bytes);
  read_through(source, task, [&](Bytes data, std::uint64_t) {
    if (writer) writer->write(data);
  });
}

void FileCopier::read_through(stored::ContentFile& source, const CopyTask& task,
                              const std::function<void(Bytes, std::uint64_t offset)>& take) {
  read_verified(source, task, interrupt_, [&](Bytes data, std::uint64_t offset) {
    take(data, offset);
    progress_.advance(data.size());
    throttle_.take(data.size(), interrupt_);
  });
}

}  // namespace barman::copy
