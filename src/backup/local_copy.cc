#include "backup/local_copy.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "backup/page_check.h"
#include "backup/source_walk.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "pipeline/block_file.h"
#include "pipeline/bulk_writer.h"
#include "postgres/page_checksum.h"

namespace barman::backup {
namespace {

namespace fs = std::filesystem;

using CopyClock = std::chrono::steady_clock;
using CopyBuffer = pipeline::BulkWriter::Block;
using pipeline::BlockPool;

constexpr std::size_t kInKernelStep = std::size_t{64} << 20;
// As many as keep a disk busy beside the threads that read.
constexpr std::size_t kBlockWriters = 4;
constexpr std::size_t kBlocksAhead = 10;

std::int64_t ns_of(CopyClock::time_point time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

// What the calls that share or copy say when it is not possible between these two files.
bool is_no_way(int error_number) {
  constexpr std::array kReasons = {EXDEV, EOPNOTSUPP, ENOTTY, EINVAL, ENOSYS, EPERM, EBADF};
  return std::find(kReasons.begin(), kReasons.end(), error_number) != kReasons.end();
}

MutableBytes thread_buffer() {
  thread_local const auto block = std::make_unique<CopyBuffer>();
  return block->bytes;
}

bool has_same_bytes(const Fd& a, const fs::path& a_path, const Fd& b, const fs::path& b_path,
                    const std::function<void()>& require_going_on) {
  const MutableBytes buffer = thread_buffer();
  const auto half = static_cast<std::ptrdiff_t>(buffer.size() / 2);
  const MutableBytes first = buffer.first(buffer.size() / 2);
  const MutableBytes second = buffer.subspan(buffer.size() / 2);
  for (std::uint64_t offset = 0;; offset += static_cast<std::uint64_t>(half)) {
    require_going_on();
    const std::size_t size = read_full_at(a, first, offset, a_path);
    if (read_full_at(b, second, offset, b_path) != size) return false;
    if (!std::equal(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(size),
                    second.begin())) {
      return false;
    }
    if (size < first.size()) return true;
  }
}

}  // namespace

struct LocalCopy::FileTask {
  fs::path source;
  fs::path destination;
  // Of the tree, and the path in it; none for a single file.
  const std::vector<ReferenceTree>* references = nullptr;
  std::string path;
  std::string name;  // in the data directory
  bool is_limited = false;
  bool needs_sync = false;
  // For the blocks of large files.
  WorkerPool* writers = nullptr;
};

// What a copy gets when its bytes are there.
struct LocalCopy::Ending {
  fs::path path;
  mode_t mode = 0;
  timespec modified = {};
  bool needs_sync = false;
};

// What is found is made, or handed to the workers.
class LocalCopy::Walk final : public SourceVisitor {
 public:
  Walk(LocalCopy& copy, const LocalTree& tree)
      : copy_(copy), tree_(tree), writers_(kBlockWriters), workers_(copy.options_.worker_count) {}

  void run() {
    walk_source({.root = tree_.source,
                 .is_copied = tree_.is_copied,
                 .is_data_directory = tree_.prefix.empty()},
                *this);
    workers_.wait();
    writers_.wait();
  }

  void enter(const std::string& path, const struct stat& status) override {
    need_sync_.push_back(make_directory(path, status.st_mode & 07777U));
  }
  void leave() override { need_sync_.pop_back(); }
  void file(const std::string& path, const struct stat&) override {
    FileTask task{.source = tree_.source / path,
                  .destination = tree_.destination / path,
                  .references = &tree_.references,
                  .path = path,
                  .name = tree_.prefix + path,
                  .is_limited = tree_.bandwidth_limit.is_set(),
                  .needs_sync = need_sync_.back(),
                  .writers = &writers_};
    workers_.submit([&copy = copy_, task = std::move(task)] { copy.copy_task(task); });
  }
  void dangling_link(const std::string& path) override {
    copy_.dead_links_.push_back((tree_.source / path).string());
  }
  bool goes_on() override {
    copy_.require_going_on_();
    return !workers_.has_failed() && !writers_.has_failed();  // wait() tells
  }

 private:
  bool make_directory(const std::string& path, mode_t mode) {
    const fs::path destination = path.empty() ? tree_.destination : tree_.destination / path;
    if (::mkdir(destination.c_str(), 0700) != 0 && errno != EEXIST) {
      throw_errno(fmt::format("cannot create directory \"{}\"", destination.string()));
    }
    const Fd fd = open_file(destination, O_RDONLY | O_DIRECTORY);
    if (::fchmod(fd.get(), mode | 0700U) != 0) {
      throw_errno(fmt::format("cannot set permissions of \"{}\"", destination.string()));
    }
    if (copy_.file_system_.covers(fd, destination)) return false;
    copy_.directories_.push_back(destination);
    return true;
  }

  LocalCopy& copy_;
  const LocalTree& tree_;
  std::vector<bool> need_sync_;  // of the directories down to the current one
  WorkerPool writers_;
  WorkerPool workers_;  // after what its threads use
};

LocalCopy::LocalCopy(const LocalCopyOptions& options, const fs::path& root, Progress& progress,
                     std::function<void()> require_going_on)
    : options_(options),
      file_system_(root),
      progress_(progress),
      require_going_on_(std::move(require_going_on)),
      blocks_(std::make_shared<BlockPool>(options.worker_count + kBlocksAhead)) {}

LocalCopyTimes LocalCopy::copy_tree(const LocalTree& tree) {
  const auto begun = CopyClock::now();
  serial_ns_ = 0;
  throttle_.reset();
  if (tree.bandwidth_limit.is_set()) throttle_.emplace(tree.bandwidth_limit);
  Walk(*this, tree).run();
  return {.total_seconds = std::chrono::duration<double>(CopyClock::now() - begun).count(),
          .serial_seconds = static_cast<double>(serial_ns_) / 1e9};
}

bool LocalCopy::copy_file(const fs::path& source, const fs::path& destination) {
  if (!find_status(source)) return false;
  WorkerPool writers(1);
  copy_task({.source = source,
             .destination = destination,
             .references = nullptr,
             .path = {},
             .name = destination.filename().string(),
             .is_limited = false,
             .needs_sync = true,
             .writers = &writers});
  writers.wait();
  return true;
}

void LocalCopy::copy_task(const FileTask& task) {
  require_going_on_();
  const auto begun = CopyClock::now();
  const std::optional<Fd> source = find_file(task.source, Links::follow);
  if (!source) return;  // It has gone since, and WAL says so.
  struct stat status = {};
  if (::fstat(source->get(), &status) != 0) {
    throw_errno(fmt::format("cannot look at \"{}\"", task.source.string()));
  }
  const std::optional<fs::path> reference = find_unchanged(task, *source, status);
  if (!reference || !use_reference(task, *reference, status)) write_copy(task, *source, status);
  serial_ns_ += ns_of(CopyClock::now()) - ns_of(begun);
}

std::optional<fs::path> LocalCopy::find_unchanged(const FileTask& task, const Fd& source,
                                                  const struct stat& status) const {
  if (options_.reuse == config::ReuseBackup::off || task.references == nullptr) {
    return std::nullopt;
  }
  for (const ReferenceTree& reference : *task.references) {
    fs::path known_path = reference.directory / task.path;
    if (is_unchanged(task, source, status, reference, known_path)) return known_path;
  }
  return std::nullopt;
}

bool LocalCopy::is_unchanged(const FileTask& task, const Fd& source, const struct stat& status,
                             const ReferenceTree& reference, const fs::path& known_path) const {
  const auto known = find_status(known_path, Links::refuse);
  if (!known || !S_ISREG(known->st_mode) || known->st_size != status.st_size ||
      (known->st_mode & 07777U) != (status.st_mode & 07777U) ||
      known->st_mtim.tv_sec != status.st_mtim.tv_sec) {
    return false;
  }
  // Copies that come from a stream have whole seconds. The time of a change of the inode cannot be
  // set by anybody.
  const bool is_exact = known->st_mtim.tv_nsec == status.st_mtim.tv_nsec;
  const std::time_t touched = std::max(status.st_mtim.tv_sec, status.st_ctim.tv_sec);
  if (is_exact && reference.horizon && touched < *reference.horizon) return true;
  const std::optional<Fd> file = find_file(known_path);
  return file && has_same_bytes(source, task.source, *file, known_path, require_going_on_);
}

// False when it cannot be done in this way.
bool LocalCopy::use_reference(const FileTask& task, const fs::path& reference,
                              const struct stat& status) {
  if (options_.reuse == config::ReuseBackup::link) {
    if (::linkat(AT_FDCWD, reference.c_str(), AT_FDCWD, task.destination.c_str(), 0) == 0) {
      progress_.advance(static_cast<std::uint64_t>(status.st_size));
      return true;
    }
    log::debug(log::kBackupComponent, "cannot link \"{}\" to \"{}\": {}", reference.string(),
               task.destination.string(), errno_text(errno));
    return false;
  }
  // Beside the copy blocks may be shared, and the server's disk is left alone.
  const std::optional<Fd> file = find_file(reference);
  if (!file) return false;
  FileTask from_reference = task;
  from_reference.source = reference;
  write_copy(from_reference, *file, status);
  return true;
}

void LocalCopy::write_copy(const FileTask& task, const Fd& source, const struct stat& status) {
  const Ending ending{.path = task.destination,
                      .mode = status.st_mode & 0777U,
                      .modified = status.st_mtim,
                      .needs_sync = task.needs_sync};
  Fd destination = create_file(task.destination, O_RDWR, ending.mode);
  const auto size_bytes = static_cast<std::uint64_t>(status.st_size);
  Digest digest = make_digest();
  const bool is_shared = size_bytes > 0 && !task.is_limited && share(source, destination);
  if (is_shared) {
    if (is_looked_at(task)) look_at_clone(task, source, destination, digest);
    progress_.advance(size_bytes);
  }
  const bool is_there = is_shared || size_bytes == 0 ||
                        (!is_looked_at(task) && !task.is_limited &&
                         copy_in_kernel(task, source, destination, size_bytes));
  if (is_there) return finish(destination, ending, digest.finish());
  if (size_bytes <= BlockPool::kBlockSize) {
    return copy_small(task, source, destination, size_bytes, ending);
  }
  copy_in_blocks(task, source, std::move(destination), size_bytes, ending);
}

void LocalCopy::finish(Fd& file, const Ending& ending, const std::string& sha256) const {
  if (::fchmod(file.get(), ending.mode) != 0) {
    throw_errno(fmt::format("cannot set permissions of \"{}\"", ending.path.string()));
  }
  const std::array<timespec, 2> times = {ending.modified, ending.modified};
  if (::futimens(file.get(), times.data()) != 0) {
    throw_errno(fmt::format("cannot set the time of \"{}\"", ending.path.string()));
  }
  if (options_.checks.digests != nullptr) {
    struct stat status = {};
    if (::fstat(file.get(), &status) != 0) {
      throw_errno(fmt::format("cannot look at \"{}\"", ending.path.string()));
    }
    options_.checks.digests->add(status, sha256);
  }
  if (ending.needs_sync) sync_fd(file, ending.path);
  file.close(ending.path);
}

bool LocalCopy::share(const Fd& source, const Fd& destination) {
  if (!can_share_) return false;
  if (::ioctl(destination.get(), FICLONE, source.get()) == 0) return true;
  if (is_no_way(errno)) can_share_ = false;
  return false;  // copying tells more exactly what is wrong
}

bool LocalCopy::copy_in_kernel(const FileTask& task, const Fd& source, const Fd& destination,
                               std::uint64_t size_bytes) {
  std::uint64_t copied = 0;
  while (copied < size_bytes) {
    require_going_on_();
    const std::size_t step = std::min<std::uint64_t>(size_bytes - copied, kInKernelStep);
    const ssize_t size =
        ::copy_file_range(source.get(), nullptr, destination.get(), nullptr, step, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && copied == 0 && is_no_way(errno)) return false;
    if (size < 0) {
      throw_errno(fmt::format("cannot copy \"{}\" to \"{}\"", task.source.string(),
                              task.destination.string()));
    }
    // Some file systems say so of a file that is not empty.
    if (size == 0 && copied == 0) return false;
    if (size == 0) break;
    copied += static_cast<std::uint64_t>(size);
    progress_.advance(static_cast<std::uint64_t>(size));
  }
  return true;
}

Digest LocalCopy::make_digest() const {
  return Digest(options_.checks.digests != nullptr ? DigestAlgorithm::sha256
                                                   : DigestAlgorithm::none);
}

bool LocalCopy::is_looked_at(const FileTask& task) const {
  return options_.checks.digests != nullptr ||
         (options_.checks.checked_before && postgres::parse_relation_path(task.name));
}

void LocalCopy::copy_small(const FileTask& task, const Fd& source, Fd& destination,
                           std::size_t size_bytes, const Ending& ending) {
  const MutableBytes buffer = thread_buffer();
  const std::size_t size = read_full_at(source, buffer.first(size_bytes), 0, task.source);
  const Bytes data = Bytes(buffer).first(size);
  Digest digest = make_digest();
  look_at(task, source, data, 0, digest);
  write_full(destination, data, task.destination);
  progress_.advance(size);
  if (task.is_limited) keep_rate(size);
  finish(destination, ending, digest.finish());
}

void LocalCopy::copy_in_blocks(const FileTask& task, const Fd& source, Fd destination,
                               std::uint64_t size_bytes, const Ending& ending) {
  // Only a hint.
  ::posix_fadvise(source.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  const auto sha256 = std::make_shared<std::string>();
  const auto file = std::make_shared<pipeline::BlockFile>(
      std::move(destination), task.destination, size_bytes,
      [this, size_bytes, ending, sha256](Fd& copied, std::uint64_t copied_bytes) {
        // It has been cut meanwhile.
        if (copied_bytes < size_bytes &&
            ::ftruncate(copied.get(), static_cast<off_t>(copied_bytes)) != 0) {
          throw_errno(fmt::format("cannot cut \"{}\" to its size", ending.path.string()));
        }
        finish(copied, ending, *sha256);
      });
  Digest digest = make_digest();
  std::uint64_t copied = 0;
  while (copied < size_bytes) {
    require_going_on_();
    if (task.writers->has_failed()) return;  // who waits for them tells
    BlockPool::Handle block = blocks_->take();
    const MutableBytes buffer = block->bytes;
    const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), size_bytes - copied);
    const std::size_t size = read_full_at(source, buffer.first(wanted), copied, task.source);
    look_at(task, source, Bytes(buffer).first(size), copied, digest);
    if (size > 0) file->write(*task.writers, std::move(block), size);
    progress_.advance(size);
    if (task.is_limited) keep_rate(size);
    copied += size;
    if (size < wanted) break;
  }
  *sha256 = digest.finish();
  file->close();
}

// A clone stands still; what looks wrong in it is read again where PostgreSQL writes.
void LocalCopy::look_at_clone(const FileTask& task, const Fd& source, const Fd& clone,
                              Digest& digest) {
  const MutableBytes buffer = thread_buffer();
  std::uint64_t offset = 0;
  while (const std::size_t size = read_full_at(clone, buffer, offset, task.destination)) {
    require_going_on_();
    look_at(task, source, Bytes(buffer).first(size), offset, digest);
    offset += size;
  }
}

void LocalCopy::look_at(const FileTask& task, const Fd& source, Bytes data, std::uint64_t offset,
                        Digest& digest) {
  digest.update(data);
  if (!options_.checks.checked_before) return;
  for (const std::uint32_t block : find_damaged_blocks_in(
           data, offset, task.name, *options_.checks.checked_before, source, task.source)) {
    damage_.add(task.name, block);
  }
}

// In small steps: what ends the copy ends the waiting.
void LocalCopy::keep_rate(std::uint64_t size_bytes) {
  constexpr std::chrono::milliseconds kStep{100};
  const auto end = throttle_->reserve(size_bytes);
  while (CopyClock::now() < end) {
    require_going_on_();
    std::this_thread::sleep_until(std::min(end, CopyClock::now() + kStep));
  }
}

void LocalCopy::make_durable() {
  for (const fs::path& path : directories_) sync_directory(path);
  file_system_.sync();
}

}  // namespace barman::backup
