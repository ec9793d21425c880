// The end of a chain for a file that may become large, of a size that nobody knows before: as
// FileSink (pipeline/file_sink.h), but a file larger than a block of 1 MiB is written past the page
// cache where the file system can (bulk_writer.h), by threads of its own. Archives of backups are
// not read again soon, and would push out of memory what others need. Space is reserved some way
// ahead, because writes that make a file longer wait for each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/durable.h"
#include "base/worker_pool.h"
#include "pipeline/block_pool.h"
#include "pipeline/bulk_writer.h"
#include "pipeline/sink.h"

namespace barman::pipeline {

class LargeFileSink final : public Sink {
 public:
  // Of the memory: who writes waits while all of them are on their way to the disk.
  static constexpr std::size_t kMaxBlocks = 8;

  explicit LargeFileSink(std::filesystem::path path, mode_t mode = 0600);

  // Throws what went wrong with an earlier piece, too.
  void write(Bytes data) override;
  // Commit point of the file, which is complete and durable under its name then.
  void finish() override;

 private:
  void submit_block();
  void reserve_ahead();

  AtomicFile file_;
  std::optional<BulkWriter> writer_;  // of a large file
  // What was handed over, and what is reserved.
  std::uint64_t offset_ = 0;
  std::uint64_t reserved_ = 0;
  bool can_reserve_ = true;
  std::shared_ptr<BlockPool> blocks_ = std::make_shared<BlockPool>(kMaxBlocks);
  BlockPool::Handle block_;
  std::size_t fill_ = 0;
  std::optional<WorkerPool> workers_;  // the last member: its threads use the others
};

}  // namespace barman::pipeline
