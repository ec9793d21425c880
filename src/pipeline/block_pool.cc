#include "pipeline/block_pool.h"

#include <utility>

namespace barman::pipeline {

BlockPool::Handle BlockPool::take() {
  std::unique_lock lock(mutex_);
  is_free_.wait(lock, [&] { return !free_.empty() || count_ < max_count_; });
  std::unique_ptr<BulkWriter::Block> block;
  if (free_.empty()) {
    block = std::make_unique_for_overwrite<BulkWriter::Block>();
    ++count_;
  } else {
    block = std::move(free_.back());
    free_.pop_back();
  }
  return {block.release(),
          [self = shared_from_this()](BulkWriter::Block* returned) { self->put_back(returned); }};
}

void BlockPool::put_back(BulkWriter::Block* block) {
  std::unique_ptr<BulkWriter::Block> returned(block);
  const std::lock_guard lock(mutex_);
  free_.push_back(std::move(returned));
  is_free_.notify_one();
}

}  // namespace barman::pipeline
