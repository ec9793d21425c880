#include "compression/frame_codec.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include <random>
#include <vector>

#include "base/error.h"
#include "compression/codec.h"

namespace barman::compression {
namespace {

using Buffer = std::vector<std::byte>;

Buffer sample(std::size_t size, unsigned seed) {
  Buffer content(size);
  for (std::size_t i = 0; i < size; ++i)
    content[i] = static_cast<std::byte>((i * 7 + (i >> 9U) * seed) & 0xFFU);
  return content;
}

Buffer encode(FrameEncoder& encoder, Bytes content) {
  Buffer frame(encoder.bound(content.size()));
  frame.resize(encoder.encode(content, frame));
  return frame;
}

class FrameCodec : public ::testing::TestWithParam<Algorithm> {};
INSTANTIATE_TEST_SUITE_P(Algorithms, FrameCodec,
                         ::testing::Values(Algorithm::gzip, Algorithm::lz4, Algorithm::zstd),
                         [](const auto& param_info) {
                           return std::string(to_text(param_info.param));
                         });

TEST_P(FrameCodec, GivesBackWhatItTook) {
  const auto encoder = make_frame_encoder(GetParam(), std::nullopt);
  const auto decoder = make_frame_decoder(GetParam());
  for (const std::size_t size : {std::size_t{1}, std::size_t{70000}, std::size_t{5} << 20}) {
    const Buffer content = sample(size, 3);
    const Buffer frame = encode(*encoder, content);
    Buffer decoded(size);
    decoder->decode(frame, decoded, "frame");
    EXPECT_EQ(decoded, content);
  }
}

TEST_P(FrameCodec, TakesTheLevelsOfPgBasebackup) {
  const std::vector<int> levels = GetParam() == Algorithm::gzip  ? std::vector{-1, 1, 9}
                                  : GetParam() == Algorithm::lz4 ? std::vector{0, 1, 12}
                                                                 : std::vector{-131072, -5, 0, 19};
  const Buffer content = sample(300000, 5);
  for (const int level : levels) {
    Buffer decoded(content.size());
    make_frame_decoder(GetParam())
        ->decode(encode(*make_frame_encoder(GetParam(), level), content), decoded, "frame");
    EXPECT_EQ(decoded, content) << level;
  }
}

// Rows of a table: much is the same from one to the next.
Buffer rows(std::size_t size, unsigned seed) {
  Buffer content(size);
  std::mt19937 random(seed);
  for (std::size_t i = 0; i < size; ++i)
    content[i] = static_cast<std::byte>(i % 64 < 8 ? random() & 0xFFU : i % 64);
  return content;
}

Buffer noise(std::size_t size) {
  Buffer content(size);
  std::mt19937 random(7);
  for (std::byte& byte : content) byte = static_cast<std::byte>(random() & 0xFFU);
  return content;
}

TEST(ZstdFrameEncoder, MakesNoLargerFrameThanTheLevelWhereItTriesBoth) {
  const auto encoder = make_frame_encoder(Algorithm::zstd, 3);
  const Buffer content = rows(std::size_t{1} << 20, 1);
  Buffer plain(::ZSTD_compressBound(content.size()));
  constexpr std::size_t kChecksumSize = 4;
  const std::size_t size_at_level =
      ::ZSTD_compress(plain.data(), plain.size(), content.data(), content.size(), 3) +
      kChecksumSize;
  EXPECT_LE(encode(*encoder, content).size(), size_at_level);
}

TEST(ZstdFrameEncoder, GivesBackPiecesOfEveryKindWhateverWayItTakes) {
  const auto encoder = make_frame_encoder(Algorithm::zstd, 3);
  const auto decoder = make_frame_decoder(Algorithm::zstd);
  for (unsigned number = 0; number < 50; ++number) {
    const Buffer content = number % 20 < 10  ? rows(100000 + number, number)
                           : number % 2 == 0 ? noise(50000)
                                             : sample(70000, number);
    Buffer decoded(content.size());
    decoder->decode(encode(*encoder, content), decoded, "frame");
    EXPECT_EQ(decoded, content) << number;
  }
}

class Collector final : public pipeline::Sink {
 public:
  void write(Bytes data) override { content.insert(content.end(), data.begin(), data.end()); }
  void finish() override { is_finished = true; }
  Buffer content;
  bool is_finished = false;
};

TEST_P(FrameCodec, MakesFramesThatTheStreamingDecompressorReadsInARow) {
  const auto encoder = make_frame_encoder(GetParam(), std::nullopt);
  Buffer all;
  Buffer compressed;
  std::vector<std::size_t> expected_ends;
  for (unsigned i = 1; i <= 3; ++i) {
    const Buffer content = sample(100000 * i, i);
    const Buffer frame = encode(*encoder, content);
    all.insert(all.end(), content.begin(), content.end());
    compressed.insert(compressed.end(), frame.begin(), frame.end());
    expected_ends.push_back(compressed.size());
  }
  Collector result;
  std::vector<std::size_t> ends;
  std::size_t pushed = 0;
  const auto decompressor =
      make_decompressor(GetParam(), result, "frames",
                        [&](std::size_t unread_bytes) { ends.push_back(pushed - unread_bytes); });
  for (std::size_t begin = 0; begin < compressed.size(); begin += 1000) {
    const Bytes piece =
        Bytes(compressed).subspan(begin, std::min<std::size_t>(1000, compressed.size() - begin));
    pushed += piece.size();
    decompressor->write(piece);
  }
  decompressor->finish();
  EXPECT_TRUE(result.is_finished);
  EXPECT_EQ(result.content, all);
  EXPECT_EQ(ends, expected_ends);
}

TEST_P(FrameCodec, RefusesDamageAndOtherSizes) {
  const Buffer content = sample(200000, 7);
  const Buffer frame = encode(*make_frame_encoder(GetParam(), std::nullopt), content);
  const auto decoder = make_frame_decoder(GetParam());
  const auto expect_corrupt = [&](Bytes damaged, std::size_t size) {
    Buffer decoded(size);
    try {
      decoder->decode(damaged, decoded, "base.tar.x");
      ADD_FAILURE() << "took a frame of " << damaged.size() << " bytes for " << size;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::corrupt);
      EXPECT_NE(error.message().find("base.tar.x"), std::string::npos);
    }
  };
  expect_corrupt(Bytes(frame).first(frame.size() - 1), content.size());
  expect_corrupt(frame, content.size() - 1);
  expect_corrupt(frame, content.size() + 1);
  expect_corrupt({}, content.size());
  for (const std::size_t at : {std::size_t{0}, frame.size() / 2, frame.size() - 1}) {
    Buffer flipped = frame;
    flipped[at] ^= std::byte{0x41};
    expect_corrupt(flipped, content.size());
  }
  Buffer longer = frame;
  longer.push_back(std::byte{1});
  expect_corrupt(longer, content.size());
  // And it still works after all of this.
  Buffer decoded(content.size());
  decoder->decode(frame, decoded, "frame");
  EXPECT_EQ(decoded, content);
}

}  // namespace
}  // namespace barman::compression
