#include "pipeline/large_file_sink.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"

namespace barman::pipeline {
namespace {

constexpr std::size_t kWriterCount = 4;
constexpr std::uint64_t kReservedAhead = std::uint64_t{64} << 20;

}  // namespace

LargeFileSink::LargeFileSink(std::filesystem::path path, mode_t mode)
    : file_(std::move(path), mode) {}

void LargeFileSink::write(Bytes data) {
  while (!data.empty()) {
    // Nothing more needs to be written; this throws the failure.
    if (workers_ && workers_->has_failed()) workers_->wait();
    if (!block_) block_ = blocks_->take();
    const std::size_t size = std::min(data.size(), BlockPool::kBlockSize - fill_);
    std::memcpy(block_->bytes.data() + fill_, data.data(), size);
    fill_ += size;
    data = data.subspan(size);
    if (fill_ == BlockPool::kBlockSize) submit_block();
  }
}

void LargeFileSink::submit_block() {
  if (!workers_) {
    writer_.emplace(file_.fd(), file_.temporary_path(), BlockPool::kBlockSize);
    workers_.emplace(kWriterCount);
  }
  reserve_ahead();
  workers_->submit([this, block = std::exchange(block_, {}), offset = offset_] {
    writer_->write_at(block->bytes, offset);
  });
  fill_ = 0;
  offset_ += BlockPool::kBlockSize;
}

// Where that cannot be, for lack of space too, the writes themselves tell what is wrong.
void LargeFileSink::reserve_ahead() {
  if (!can_reserve_ || offset_ + BlockPool::kBlockSize <= reserved_) return;
  can_reserve_ = ::fallocate(file_.fd().get(), 0, static_cast<off_t>(offset_),
                             static_cast<off_t>(kReservedAhead)) == 0;
  if (can_reserve_) reserved_ = offset_ + kReservedAhead;
}

void LargeFileSink::finish() {
  if (workers_) workers_->wait();
  const Bytes end = block_ ? Bytes(block_->bytes).first(fill_) : Bytes();
  if (!writer_) {
    file_.write(end);
  } else {
    if (!end.empty()) writer_->write_at(end, offset_);
    if (::ftruncate(file_.fd().get(), static_cast<off_t>(offset_ + end.size())) != 0) {
      throw_errno(fmt::format("cannot cut \"{}\" to its size", file_.temporary_path().string()));
    }
  }
  file_.commit();
}

}  // namespace barman::pipeline
