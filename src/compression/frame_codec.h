// Whole frames of the archives of base backups: a piece of content of a few megabytes is compressed
// in memory to a member of gzip, a frame of LZ4 or a frame of Zstandard that does not depend on its
// neighbours. Frames one after the other are what `gzip -d`, `lz4 -d` and `zstd -d` unpack, and
// each can be read alone. All have a checksum of their content.
//
// A codec belongs to one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "base/fd.h"
#include "compression/algorithm.h"

namespace barman::compression {

class FrameEncoder {
 public:
  virtual ~FrameEncoder() = default;
  // The most that `content_size` bytes can become.
  virtual std::size_t bound(std::size_t content_size) const = 0;
  // Returns the size of the frame; `frame` has at least bound(content.size()) bytes.
  virtual std::size_t encode(Bytes content, MutableBytes frame) = 0;
};

class FrameDecoder {
 public:
  virtual ~FrameDecoder() = default;
  // Fills all of `content`. Throws `corrupt` naming `source_name` when the frame is damaged or
  // holds another number of bytes.
  virtual void decode(Bytes frame, MutableBytes content, const std::string& source_name) = 0;
};

// gzip, lz4 and zstd only (`internal` for others). Levels are those of pg_basebackup: gzip -1 and 1
// to 9, lz4 0 to 12, zstd -131072 to 22; unset = the default of the algorithm (6, 0, 3).
std::unique_ptr<FrameEncoder> make_frame_encoder(Algorithm algorithm, std::optional<int> level);
std::unique_ptr<FrameDecoder> make_frame_decoder(Algorithm algorithm);

}  // namespace barman::compression
