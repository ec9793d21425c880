// A large file that comes in blocks, in order, from one thread, and is written by several, past the
// page cache where the file system can (bulk_writer.h).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "base/fd.h"
#include "base/worker_pool.h"
#include "pipeline/block_pool.h"
#include "pipeline/bulk_writer.h"

namespace barman::pipeline {

class BlockFile : public std::enable_shared_from_this<BlockFile> {
 public:
  // Called once everything is written, by whichever thread was last, with the file and the size
  // that has come: sets times, closes.
  using Finish = std::function<void(Fd& file, std::uint64_t size_bytes)>;

  // `file` is new and empty; `expected_bytes` are reserved for it.
  BlockFile(Fd file, std::filesystem::path path, std::uint64_t expected_bytes, Finish finish);

  // The first `size` bytes of the block: all of it, but for the last one of the file.
  void write(WorkerPool& workers, BlockPool::Handle block, std::size_t size);
  // Nothing more comes. Without it nothing finishes the file.
  void close() { release(); }

 private:
  void release();

  Fd file_;
  const std::filesystem::path path_;
  BulkWriter writer_;
  const Finish finish_;
  std::uint64_t offset_ = 0;
  // Blocks that are not written yet, and one for who hands them over.
  std::atomic<std::uint64_t> pending_ = 1;
};

}  // namespace barman::pipeline
