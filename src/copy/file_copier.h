// Copies files by several workers, verified on the way, made durable in the background: large ones
// by an fsync each, small ones by one flush of their file system at the end, where that covers them
// (base/file_system_sync.h), and with their directories.
//
// The source is read once: a file is shared with the source where the file system can (FICLONE),
// else copied by the kernel when nothing says what it must contain, else through a buffer while its
// checksum is computed. submit() blocks while the workers are busy; the first failure names its
// file and comes out of wait().
//
// Small files that are at hand are copied in groups: a worker is woken once a group, and while it
// fills its files another one makes its own. The kernel lets one thread at a time make a file in a
// directory, and the others burn a processor while they wait for it.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/file_system_sync.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "base/throttle.h"
#include "base/worker_pool.h"
#include "copy/copy_task.h"
#include "stored/content_tree.h"

namespace barman::copy {

struct CopyOptions {
  std::size_t worker_count = 2;
  TransferLimit bandwidth_limit;
};

class FileCopier {
 public:
  FileCopier(const CopyOptions& options, Progress& progress, const Interrupt& interrupt);

  // A small file may wait for the next ones, until wait() at most.
  void submit(CopyTask task);
  // Before the first file: an existing directory below which files will come.
  void add_root(const std::filesystem::path& path);
  // Copies in the calling thread; durable with wait() like the others.
  void copy(const CopyTask& task);
  // To be flushed at the end, when its entries are complete.
  void add_directory(std::filesystem::path path);
  // Of existing files, how much was right already.
  std::uint64_t kept_bytes() const { return kept_bytes_; }
  // All files and directories are durable when it returns. Called once.
  void wait();

 private:
  using Group = std::vector<CopyTask>;

  // Where the last file of a group was made: of the next one only the name is looked up.
  struct Directory {
    std::string path;
    Fd fd;
    bool is_flushed_at_end = false;
  };
  struct Created {
    Fd file;
    // Otherwise it needs an fsync of its own.
    bool is_flushed_at_end = false;
  };

  void submit_group();
  void copy_group(const Group& group);
  // Into the file that create() has opened.
  void fill(const CopyTask& task, Created created);
  void copy_content(stored::ContentFile& source, const Fd& destination, const CopyTask& task);
  bool share_blocks(const Fd& source, const Fd& destination);
  bool copy_in_kernel(const Fd& source, const Fd& destination, const CopyTask& task);
  // Also only reads, when `destination` is nullptr.
  void copy_through_buffer(stored::ContentFile& source, const Fd* destination,
                           const CopyTask& task);
  // All of the source, compared with what is expected of it at the end.
  void read_through(stored::ContentFile& source, const CopyTask& task,
                    const std::function<void(Bytes, std::uint64_t offset)>& take);
  bool is_right_already(const Fd& destination, const CopyTask& task);
  bool is_proved(stored::ContentFile& source, stored::ContentFile& present, const CopyTask& task);
  void note_kept(std::uint64_t size_bytes);
  void update_content(stored::ContentFile& source, const Fd& destination, const CopyTask& task);
  std::uint64_t write_differences(const Fd& destination, Bytes data, std::uint64_t offset,
                                  const CopyTask& task);
  // `group`: of the tasks of a group that are created one after the other.
  Created create(const CopyTask& task, Directory* group) const;
  void enter_directory_of(const CopyTask& task, Directory& directory) const;
  bool is_flushed_at_end(const Fd& fd, const std::filesystem::path& path) const;
  void flush_later(Fd fd, const std::filesystem::path& path);

  CopyOptions options_;
  Progress& progress_;
  Interrupt interrupt_;
  // Cleared when the file systems have shown that they cannot.
  std::atomic<bool> can_share_ = true;
  std::atomic<std::uint64_t> kept_bytes_ = 0;
  Throttle throttle_;
  const mode_t umask_;
  // One a file system, with the directories that are flushed with it.
  struct Root {
    explicit Root(const std::filesystem::path& root) : file_system(root), path(root) {}
    FileSystemSync file_system;
    std::filesystem::path path;
  };
  std::deque<Root> roots_;
  Group group_;
  std::uint64_t group_bytes_ = 0;
  std::mutex creating_;
  std::vector<std::filesystem::path> directories_;
  // fsync of finished files runs beside the copying, and concurrent ones share the commits of the
  // file system's journal.
  WorkerPool flushers_;
  WorkerPool workers_;
};

}  // namespace barman::copy
