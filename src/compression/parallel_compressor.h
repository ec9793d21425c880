// Compresses a stream by several threads: cut into pieces of kContentSize, each of which becomes a
// frame of its own (frame_codec.h), handed on in their order.
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
#include "pipeline/sink.h"

namespace barman::compression {

struct FrameSize {
  std::uint32_t frame_bytes = 0;
  std::uint32_t content_bytes = 0;
  friend bool operator==(const FrameSize&, const FrameSize&) = default;
};

class ParallelCompressor final : public pipeline::Sink {
 public:
  static constexpr std::size_t kContentSize = std::size_t{2} << 20;

  // `level` as make_frame_encoder() takes it. `next` must live longer.
  ParallelCompressor(Algorithm algorithm, std::optional<int> level, std::size_t worker_count,
                     pipeline::Sink& next);
  ParallelCompressor(const ParallelCompressor&) = delete;
  ParallelCompressor& operator=(const ParallelCompressor&) = delete;
  ~ParallelCompressor() override;

  void write(Bytes data) override;
  void finish() override;
  // Of all frames, in order. After finish().
  const std::vector<FrameSize>& frames() const { return frames_; }

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
  void take_free_piece();
  void submit_piece();
  void stop();
  [[noreturn]] void throw_failure();

  const Algorithm algorithm_;
  const std::optional<int> level_;
  pipeline::Sink& next_;
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
