// Writes the files of trees by several threads, and makes them durable.
//
// One thread hands over the files, one after the other; what it hands over is gathered in blocks of
// 1 MiB. A file larger than a block is written past the page cache (bulk_writer.h), block by block;
// of smaller ones a block holds many, and the threads create and write them. kMaxBlocks blocks
// bound the memory: who hands over waits while all of them are on their way.
//
// Durable with wait(): by one flush of the file system where it covers the files
// (base/file_system_sync.h), else each file and directory was fsynced. The first failure names its
// file, stops the rest, and is thrown by the next call or by wait().
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/file_system_sync.h"
#include "base/worker_pool.h"
#include "pipeline/block_file.h"
#include "pipeline/block_pool.h"
#include "pipeline/bulk_writer.h"

namespace barman::pipeline {

// A file of a directory that is open. One that is there already is replaced.
struct NewFile {
  std::shared_ptr<const Fd> parent;
  std::string name;
  std::filesystem::path path;  // for errors
  // Exactly these permissions, whatever the umask is.
  mode_t mode = 0600;
  std::uint64_t size_bytes = 0;
  // Seconds since the epoch; nullopt: when it was written. Set once its content is complete.
  std::optional<std::int64_t> mtime = std::nullopt;
};

class FileWriters {
 public:
  static constexpr std::size_t kDefaultWorkerCount = 4;
  static constexpr std::size_t kBlockSize = BlockPool::kBlockSize;
  static constexpr std::size_t kMaxBlocks = 12;

  // `directory` exists; the files are below it or elsewhere.
  explicit FileWriters(const std::filesystem::path& directory,
                       std::size_t worker_count = kDefaultWorkerCount);
  FileWriters(const FileWriters&) = delete;
  FileWriters& operator=(const FileWriters&) = delete;
  // Without wait(): what is pending is dropped.
  ~FileWriters();

  // The root of files that will come. Where the flush at the end does not cover them, every file
  // that comes from now on is fsynced.
  void add_root(const std::filesystem::path& root);
  // Then write(), which adds up to size_bytes, and end().
  void begin(NewFile file);
  void write(Bytes data);
  void end();
  // A directory whose entries are complete.
  void add_directory(const std::filesystem::path& path);
  // All of it is durable when it returns. Called once.
  void wait();

 private:
  // A file in a block of small ones.
  struct SmallFile {
    NewFile file;
    std::size_t offset = 0;
  };
  struct Batch {
    BlockPool::Handle block;
    std::size_t size_bytes = 0;
    std::vector<SmallFile> files;
  };

  BlockPool::Handle take_block();
  void submit_batch();
  void submit_block();
  Fd create(const NewFile& file) const;
  void write_batch(const Batch& batch) const;
  void finish(Fd& fd, const std::filesystem::path& path, std::optional<std::int64_t> mtime) const;

  const FileSystemSync file_system_;
  const mode_t umask_;
  std::atomic<bool> syncs_each_ = false;
  // That the flush covers.
  std::vector<std::pair<Fd, std::filesystem::path>> flushed_roots_;
  std::shared_ptr<BlockPool> blocks_;
  Batch batch_;
  // Of the file that is coming.
  std::uint64_t left_bytes_ = 0;
  std::shared_ptr<BlockFile> large_;
  BlockPool::Handle block_;
  std::size_t fill_ = 0;
  WorkerPool workers_;  // after what its threads use
};

}  // namespace barman::pipeline
