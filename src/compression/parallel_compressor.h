// Compresses a stream by several threads: cut into pieces of kContentSize, each of which becomes a
// frame of its own (frame_codec.h), or a part of one stream (piece_codec.h), handed on in their
// order.
//
// write() blocks while all pieces are being worked on, so memory is bounded: worker_count + 2
// pieces and frames. The next sink is called from the workers' threads, one call at a time, and
// finished by finish() in the caller's. The first failure, also of the next sink, is thrown by the
// next write() or by finish().
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "base/worker_pool.h"
#include "compression/algorithm.h"
#include "compression/piece_codec.h"
#include "pipeline/sink.h"

namespace barman::compression {

struct FrameSize {
  std::uint32_t frame_bytes = 0;
  std::uint32_t content_bytes = 0;
  // CRC-32C of the content; of a part of one stream only.
  std::uint32_t content_crc = 0;
  friend bool operator==(const FrameSize&, const FrameSize&) = default;
};

enum class Joining { frames, one_stream };

class ParallelCompressor final : public pipeline::Sink {
 public:
  static constexpr std::size_t kContentSize = std::size_t{2} << 20;

  // `level` as make_frame_encoder() takes it, or make_piece_encoder(). `next` must live longer.
  ParallelCompressor(Algorithm algorithm, std::optional<int> level, std::size_t worker_count,
                     pipeline::Sink& next, Joining joining = Joining::frames);
  ParallelCompressor(const ParallelCompressor&) = delete;
  ParallelCompressor& operator=(const ParallelCompressor&) = delete;
  ~ParallelCompressor() override;

  void write(Bytes data) override;
  void finish() override;
  // Of all frames, in order. After finish().
  const std::vector<FrameSize>& frames() const { return frames_; }
  // Where the first of them begins: behind the head of the stream.
  std::uint64_t first_frame_offset() const { return first_frame_offset_; }

 private:
  struct Piece {
    std::uint64_t sequence = 0;
    std::vector<std::byte> content;
    std::size_t content_size = 0;
    std::vector<std::byte> frame;
    std::size_t frame_size = 0;
  };

  void run();
  void hand_on(Piece& piece);
  void write_out(const Piece& piece);
  void take_free_piece();
  void submit_piece();
  void stop();
  [[noreturn]] void throw_failure();

  const Algorithm algorithm_;
  const std::optional<int> level_;
  pipeline::Sink& next_;
  // Of one stream.
  std::optional<PieceStream> stream_;
  std::uint64_t first_frame_offset_ = 0;
  std::deque<Piece> pieces_;
  BoundedQueue<Piece*> free_;
  BoundedQueue<Piece*> full_;
  Piece* filling_ = nullptr;
  std::uint64_t sequence_ = 0;

  std::mutex order_mutex_;
  std::map<std::uint64_t, Piece*> ready_;
  std::uint64_t next_sequence_ = 0;
  bool is_handing_on_ = false;
  std::vector<FrameSize> frames_;
  WorkerPool workers_;
};

}  // namespace barman::compression
