#include "wal_archive/segment_beginning.h"

#include <gtest/gtest.h>

#include <array>

#include "base/error.h"
#include "wal/segment_header.h"

namespace barman::wal_archive {
namespace {

TEST(SegmentBeginning, IsReadNoFurtherThanItsHeader) {
  constexpr std::size_t kPiece = 16;
  constexpr int kPieces = 1000;
  const std::array<std::byte, kPiece> piece{std::byte{7}};
  int written = 0;
  const auto beginning = read_segment_beginning([&](pipeline::Sink& sink) {
    for (; written < kPieces; ++written) sink.write(piece);
    sink.finish();
  });
  EXPECT_EQ(beginning.size(), wal::kSegmentHeaderSize);
  EXPECT_EQ(beginning[kPiece], std::byte{7});
  EXPECT_EQ(written, 2) << "the third piece completes the header";
}

TEST(SegmentBeginning, IsShortWhereThereIsNoMore) {
  const std::array<std::byte, 3> piece{};
  EXPECT_EQ(read_segment_beginning([&](pipeline::Sink& sink) {
              sink.write(piece);
              sink.finish();
            }).size(),
            piece.size());
}

TEST(SegmentBeginning, IsNotMadeUpOfWhatCannotBeRead) {
  EXPECT_THROW(
      read_segment_beginning([](pipeline::Sink&) { throw Error(ErrorKind::corrupt, "damaged"); }),
      Error);
}

}  // namespace
}  // namespace barman::wal_archive
