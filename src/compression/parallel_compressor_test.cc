#include "compression/parallel_compressor.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "compression/codec.h"

namespace barman::compression {
namespace {

class LimitedCollector final : public pipeline::Sink {
 public:
  void write(Bytes data) override {
    if (content.size() + data.size() > limit) throw Error(ErrorKind::io, "the disk is full");
    content.insert(content.end(), data.begin(), data.end());
  }
  void finish() override { is_finished = true; }
  std::vector<std::byte> content;
  bool is_finished = false;
  std::size_t limit = SIZE_MAX;
};

std::vector<std::byte> sample(std::size_t size) {
  std::vector<std::byte> content(size);
  std::uint32_t state = 1;
  for (std::byte& byte : content) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<std::byte>(state >> 24U & 0x3FU);
  }
  return content;
}

void push(pipeline::Sink& sink, Bytes data, std::size_t step) {
  for (; data.size() > step; data = data.subspan(step)) sink.write(data.first(step));
  sink.write(data);
}

class ParallelCompressorTest : public ::testing::TestWithParam<Algorithm> {};
INSTANTIATE_TEST_SUITE_P(Algorithms, ParallelCompressorTest,
                         ::testing::Values(Algorithm::gzip, Algorithm::lz4, Algorithm::zstd),
                         [](const auto& param_info) {
                           return std::string(to_text(param_info.param));
                         });

TEST_P(ParallelCompressorTest, KeepsTheOrderAndTellsTheSizesOfFrames) {
  for (const std::size_t size :
       {std::size_t{1}, ParallelCompressor::kContentSize, (std::size_t{31} << 20) + 12345}) {
    const std::vector<std::byte> content = sample(size);
    LimitedCollector compressed;
    ParallelCompressor compressor(GetParam(), 1, 3, compressed);
    push(compressor, content, 100001);
    compressor.finish();
    EXPECT_TRUE(compressed.is_finished);

    std::uint64_t frame_bytes = 0;
    std::uint64_t content_bytes = 0;
    for (const FrameSize& frame : compressor.frames()) {
      frame_bytes += frame.frame_bytes;
      content_bytes += frame.content_bytes;
    }
    EXPECT_EQ(frame_bytes, compressed.content.size());
    EXPECT_EQ(content_bytes, content.size());
    EXPECT_EQ(compressor.frames().size(),
              (size + ParallelCompressor::kContentSize - 1) / ParallelCompressor::kContentSize);

    LimitedCollector decompressed;
    const auto decompressor = make_decompressor(GetParam(), decompressed, "frames");
    decompressor->write(compressed.content);
    decompressor->finish();
    EXPECT_EQ(decompressed.content, content);
  }
}

TEST(ParallelCompressor, ThrowsWhatTheNextSinkThrows) {
  const std::vector<std::byte> content = sample(std::size_t{40} << 20);
  LimitedCollector compressed;
  compressed.limit = 3 << 20;
  ParallelCompressor compressor(Algorithm::lz4, std::nullopt, 2, compressed);
  try {
    push(compressor, content, 100000);
    compressor.finish();
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "the disk is full");
  }
  EXPECT_FALSE(compressed.is_finished);
}

TEST(ParallelCompressor, CanBeAbandoned) {
  const std::vector<std::byte> content = sample(std::size_t{9} << 20);
  LimitedCollector compressed;
  {
    ParallelCompressor compressor(Algorithm::zstd, std::nullopt, 2, compressed);
    push(compressor, content, 100000);
  }
  EXPECT_FALSE(compressed.is_finished);
}

}  // namespace
}  // namespace barman::compression
