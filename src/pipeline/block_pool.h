// Buffers of 1 MiB that go from a thread that fills them to threads that write them.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "pipeline/bulk_writer.h"

namespace barman::pipeline {

// At most `max_count`, made as they are needed. A block may outlive who made the pool, where a task
// does.
class BlockPool : public std::enable_shared_from_this<BlockPool> {
 public:
  static constexpr std::size_t kBlockSize = sizeof(BulkWriter::Block);
  // The block goes back with its last handle.
  using Handle = std::shared_ptr<BulkWriter::Block>;

  explicit BlockPool(std::size_t max_count) : max_count_(max_count) {}

  // Waits while all blocks are on their way.
  Handle take();

 private:
  void put_back(BulkWriter::Block* block);

  const std::size_t max_count_;
  std::mutex mutex_;
  std::condition_variable is_free_;
  std::vector<std::unique_ptr<BulkWriter::Block>> free_;
  std::size_t count_ = 0;
};

}  // namespace barman::pipeline
