// Pieces of an archive that is one stream of xz: each is a block, which has the sizes and the
// checksum of its content; the index of all blocks ends the stream. What `xz -T` writes is like it.
// For piece_codec.cc only.
#pragma once

#include <memory>
#include <string>

#include "base/fd.h"
#include "compression/frame_codec.h"

namespace barman::compression {

// 1 to 9. No piece refers to what is before it, so a dictionary is never larger than a piece: a
// thread needs about 25 MiB at each level from 2 on (`xz -6` needs 94 MiB).
std::unique_ptr<FrameEncoder> make_xz_piece_encoder(int level);
std::unique_ptr<FrameDecoder> make_xz_piece_decoder();

// What stands around the blocks.
class XzBlocks {
 public:
  XzBlocks();
  XzBlocks(const XzBlocks&) = delete;
  XzBlocks& operator=(const XzBlocks&) = delete;
  ~XzBlocks();

  static std::string head();
  // Each block, in their order.
  void add(Bytes block);
  // The index and the footer.
  std::string tail() const;

 private:
  struct Index;
  const std::unique_ptr<Index> index_;
};

}  // namespace barman::compression
