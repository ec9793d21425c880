#include "pipeline/block_file.h"

#include <utility>

namespace barman::pipeline {

BlockFile::BlockFile(Fd file, std::filesystem::path path, std::uint64_t expected_bytes,
                     Finish finish)
    : file_(std::move(file)),
      path_(std::move(path)),
      writer_(file_, path_, expected_bytes),
      finish_(std::move(finish)) {}

void BlockFile::write(WorkerPool& workers, BlockPool::Handle block, std::size_t size) {
  ++pending_;
  workers.submit([self = shared_from_this(), block = std::move(block), size, offset = offset_] {
    self->writer_.write_at(Bytes(block->bytes).first(size), offset);
    self->release();
  });
  offset_ += size;
}

void BlockFile::release() {
  if (--pending_ == 0) finish_(file_, offset_);
}

}  // namespace barman::pipeline
