#include "compression/parallel_compressor.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/digest.h"
#include "base/error.h"
#include "compression/frame_codec.h"

namespace barman::compression {

ParallelCompressor::ParallelCompressor(Algorithm algorithm, std::optional<int> level,
                                       std::size_t worker_count, pipeline::Sink& next,
                                       Joining joining)
    : algorithm_(algorithm),
      level_(level),
      next_(next),
      pieces_(worker_count + 2),
      free_(pieces_.size()),
      full_(pieces_.size()),
      workers_(worker_count) {
  if (joining == Joining::one_stream) {
    stream_.emplace(algorithm);
    const std::string head = stream_->head();
    first_frame_offset_ = head.size();
    next_.write(as_bytes(head));
  }
  for (Piece& piece : pieces_) free_.push(&piece);
  for (std::size_t i = 0; i < worker_count; ++i) workers_.submit([this] { run(); });
}

ParallelCompressor::~ParallelCompressor() { stop(); }

void ParallelCompressor::write(Bytes data) {
  while (!data.empty()) {
    if (filling_ == nullptr) take_free_piece();
    const Bytes taken = data.first(std::min(data.size(), kContentSize - filling_->content_size));
    std::memcpy(filling_->content.data() + filling_->content_size, taken.data(), taken.size());
    filling_->content_size += taken.size();
    data = data.subspan(taken.size());
    if (filling_->content_size == kContentSize) submit_piece();
  }
}

void ParallelCompressor::finish() {
  if (filling_ != nullptr) submit_piece();
  full_.close();
  workers_.wait();
  if (stream_) next_.write(as_bytes(stream_->tail()));
  next_.finish();
}

void ParallelCompressor::take_free_piece() {
  const std::optional<Piece*> piece = free_.pop();
  if (!piece) throw_failure();
  filling_ = *piece;
  filling_->content.resize(kContentSize);
  filling_->content_size = 0;
}

void ParallelCompressor::submit_piece() {
  Piece* const piece = std::exchange(filling_, nullptr);
  piece->sequence = sequence_++;
  if (!full_.push(piece)) throw_failure();
}

void ParallelCompressor::stop() {
  free_.close();
  full_.close();
}

void ParallelCompressor::throw_failure() {
  workers_.wait();
  throw Error(ErrorKind::internal, "compression has ended already");
}

void ParallelCompressor::run() {
  try {
    const std::unique_ptr<FrameEncoder> encoder =
        stream_ ? make_piece_encoder(algorithm_, level_) : make_frame_encoder(algorithm_, level_);
    while (const std::optional<Piece*> next = full_.pop()) {
      Piece& piece = **next;
      piece.frame.resize(encoder->bound(kContentSize));
      piece.frame_size =
          encoder->encode(Bytes(piece.content).first(piece.content_size), piece.frame);
      hand_on(piece);
    }
  } catch (...) {  // Whoever waits for a piece must wake up; the pool keeps the exception.
    stop();
    throw;
  }
}

// The worker that completes the next frame hands on that one and those behind it that are ready;
// after a failure nobody does any more.
void ParallelCompressor::hand_on(Piece& finished) {
  std::unique_lock lock(order_mutex_);
  ready_.emplace(finished.sequence, &finished);
  if (is_handing_on_) return;
  is_handing_on_ = true;
  for (auto first = ready_.find(next_sequence_); first != ready_.end();
       first = ready_.find(next_sequence_)) {
    Piece& piece = *first->second;
    ready_.erase(first);
    ++next_sequence_;
    lock.unlock();
    write_out(piece);
    free_.push(&piece);
    lock.lock();
  }
  is_handing_on_ = false;
}

void ParallelCompressor::write_out(const Piece& piece) {
  const Bytes content = Bytes(piece.content).first(piece.content_size);
  const Bytes frame = Bytes(piece.frame).first(piece.frame_size);
  next_.write(frame);
  FrameSize size{.frame_bytes = static_cast<std::uint32_t>(piece.frame_size),
                 .content_bytes = static_cast<std::uint32_t>(piece.content_size)};
  if (stream_) {
    stream_->add(content, frame);
    size.content_crc = crc32c_finish(crc32c_extend(kCrc32cInitial, content));
  }
  frames_.push_back(size);
}

}  // namespace barman::compression
