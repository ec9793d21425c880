// Pieces of archives that are one compressed stream from its beginning to its end: one member of
// gzip, one frame of LZ4 or Zstandard, one stream of xz, as readers want that stop at the end of
// the first one (Python's). Each piece is compressed without a look at its neighbours, by whichever
// thread, and can be unpacked alone; head, pieces in their order, and tail are the stream.
//
// A codec belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/fd.h"
#include "compression/algorithm.h"
#include "compression/frame_codec.h"

namespace barman::compression {

// gzip, lz4, xz, and zstd where its library has threads.
bool has_pieces(Algorithm algorithm);
// Whether archives are made of pieces even where nobody reads them one by one: several threads
// compress them then, each with the memory of a piece.
bool is_always_in_pieces(Algorithm algorithm);

// `internal` for algorithms without pieces. Levels are those of the algorithm, gzip's has one;
// unset: one that suits large archives.
std::unique_ptr<FrameEncoder> make_piece_encoder(Algorithm algorithm,
                                                 std::optional<int> level = {});
// Of what is behind the head and before the tail. The caller knows a checksum of the content: that
// of the stream is at its end.
std::unique_ptr<FrameDecoder> make_piece_decoder(Algorithm algorithm);

// What stands around the pieces.
class PieceStream {
 public:
  explicit PieceStream(Algorithm algorithm);
  PieceStream(const PieceStream&) = delete;
  PieceStream& operator=(const PieceStream&) = delete;
  ~PieceStream();

  std::string head() const;
  // The content of each piece, and the piece, in their order.
  void add(Bytes content, Bytes piece);
  std::string tail() const;

 private:
  struct Checksum;

  const Algorithm algorithm_;
  const std::unique_ptr<Checksum> checksum_;
};

}  // namespace barman::compression
