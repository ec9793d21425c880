#include "compression/piece_codec.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/process.h"
#include "base/test_support.h"
#include "compression/parallel_compressor.h"
#include "compression/test_support.h"
#include "compression/xxh64.h"

namespace barman::compression {
namespace {

constexpr std::size_t kPiece = ParallelCompressor::kContentSize;

class PieceTarget final : public pipeline::Sink {
 public:
  void write(Bytes data) override { text += as_text(data); }
  void finish() override { is_finished = true; }
  std::string text;
  bool is_finished = false;
};

// Zeroes, rows that repeat with distances of their own, noise: what makes offsets be used again.
std::string pages(std::size_t size) {
  std::string content(size, '\0');
  std::minstd_rand random(5);
  for (std::size_t page = 0; page < size; page += 8192) {
    const std::size_t distance = 40 + random() % 200;
    const std::size_t end = std::min(size, page + 8192);
    for (std::size_t i = page + random() % 4096; i < end; ++i) {
      const bool is_new = random() % 16 == 0;
      content[i] =
          is_new || i < page + distance ? static_cast<char>(random() >> 8U) : content[i - distance];
    }
  }
  return content;
}

class PieceCodec : public testing::TestWithParam<Algorithm> {};
INSTANTIATE_TEST_SUITE_P(Algorithms, PieceCodec,
                         testing::Values(Algorithm::gzip, Algorithm::lz4, Algorithm::xz,
                                         Algorithm::zstd),
                         [](const auto& param_info) {
                           return std::string(to_text(param_info.param));
                         });

TEST_P(PieceCodec, MakesOneStreamOfWhichEachPieceCanBeReadAlone) {
  ASSERT_TRUE(has_pieces(GetParam()));
  for (const std::size_t size : {std::size_t{1}, std::size_t{5000}, kPiece, 3 * kPiece + 77}) {
    const std::string content = pages(size);
    PieceTarget target;
    ParallelCompressor compressor(GetParam(), std::nullopt, 3, target, Joining::one_stream);
    for (std::size_t at = 0; at < size; at += 100'000) {
      compressor.write(as_bytes(content).subspan(at, std::min<std::size_t>(100'000, size - at)));
    }
    compressor.finish();
    EXPECT_TRUE(target.is_finished);

    int streams = 0;
    TextSink text("archive", size + 1);
    const auto decompressor =
        make_decompressor(GetParam(), text, "archive", [&](std::size_t) { ++streams; });
    decompressor->write(as_bytes(target.text));
    decompressor->finish();
    EXPECT_TRUE(text.take() == content) << size;
    // Of xz nobody asks where streams end.
    EXPECT_EQ(streams, GetParam() == Algorithm::xz ? 0 : 1) << size;

    const auto decoder = make_piece_decoder(GetParam());
    std::size_t at = compressor.first_frame_offset();
    std::size_t begin = 0;
    std::vector<std::pair<std::size_t, FrameSize>> pieces;
    for (const FrameSize& frame : compressor.frames()) {
      pieces.emplace_back(at, frame);
      at += frame.frame_bytes;
    }
    for (const auto& [offset, frame] : pieces) {
      std::string piece(frame.content_bytes, '\0');
      decoder->decode(as_bytes(target.text).subspan(offset, frame.frame_bytes),
                      std::as_writable_bytes(std::span(piece)), "piece");
      EXPECT_TRUE(piece == content.substr(begin, piece.size())) << begin;
      begin += piece.size();
    }
    EXPECT_EQ(begin, size);
  }
}

TEST_P(PieceCodec, CompressesPages) {
  const std::string content = pages(kPiece);
  const auto encoder = make_piece_encoder(GetParam());
  std::string piece(encoder->bound(content.size()), '\0');
  piece.resize(encoder->encode(as_bytes(content), std::as_writable_bytes(std::span(piece))));
  EXPECT_LT(piece.size(), content.size() / 2);
  // Noise fits, too.
  std::string noise(kPiece, '\0');
  std::minstd_rand random(9);
  for (char& letter : noise) letter = static_cast<char>(random() >> 8U);
  std::string larger(encoder->bound(noise.size()), '\0');
  larger.resize(encoder->encode(as_bytes(noise), std::as_writable_bytes(std::span(larger))));
  std::string again(noise.size(), '\0');
  make_piece_decoder(GetParam())
      ->decode(as_bytes(larger), std::as_writable_bytes(std::span(again)), "piece");
  EXPECT_TRUE(again == noise);
}

TEST_P(PieceCodec, RefusesOtherSizesAndDamage) {
  const std::string content = pages(100'000);
  const auto encoder = make_piece_encoder(GetParam());
  std::string piece(encoder->bound(content.size()), '\0');
  piece.resize(encoder->encode(as_bytes(content), std::as_writable_bytes(std::span(piece))));
  std::string more(content.size() + 1, '\0');
  EXPECT_THROW(make_piece_decoder(GetParam())
                   ->decode(as_bytes(piece), std::as_writable_bytes(std::span(more)), "piece"),
               Error);
  std::string half(content.size(), '\0');
  EXPECT_THROW(make_piece_decoder(GetParam())
                   ->decode(as_bytes(piece).first(piece.size() / 2),
                            std::as_writable_bytes(std::span(half)), "piece"),
               Error);
}

TEST(PieceCodecLevels, MakeLargerAndSmallerPieces) {
  const std::string content = pages(kPiece);
  const auto size_at = [&](Algorithm algorithm, int level) {
    const auto encoder = make_piece_encoder(algorithm, level);
    std::string piece(encoder->bound(content.size()), '\0');
    return encoder->encode(as_bytes(content), std::as_writable_bytes(std::span(piece)));
  };
  EXPECT_LT(size_at(Algorithm::xz, 9), size_at(Algorithm::xz, 1));
  EXPECT_LT(size_at(Algorithm::zstd, 19), size_at(Algorithm::zstd, 1));
  EXPECT_LT(size_at(Algorithm::lz4, 12), size_at(Algorithm::lz4, 0));
}

// As other programs read it: by its own index, which tells sizes and number of blocks.
TEST(PieceCodecXz, IsAStreamThatXzLists) {
  TemporaryDirectory directory;
  const std::filesystem::path path = directory.path() / "archive.xz";
  const std::string content = pages(3 * kPiece + 77);
  PieceTarget target;
  ParallelCompressor compressor(Algorithm::xz, 1, 3, target, Joining::one_stream);
  compressor.write(as_bytes(content));
  compressor.finish();
  put_file(path, target.text);
  const ProcessResult listed = run_process({.argv = {"xz", "--robot", "--list", path.string()}});
  ASSERT_EQ(listed.exit_code, 0) << listed.standard_error;
  EXPECT_NE(listed.standard_output.find("totals\t1\t4\t"), std::string::npos)
      << listed.standard_output;
  EXPECT_EQ(run_process({.argv = {"xz", "-t", path.string()}}).exit_code, 0);
}

TEST(Xxh64, IsThatOfItsSpecification) {
  EXPECT_EQ(Xxh64().value(), 0xEF46DB3751D8E999ULL);
  Xxh64 abc;
  abc.add(as_bytes(std::string_view("abc")));
  EXPECT_EQ(abc.value(), 0x44BC2CF5AD770999ULL);
  const std::string text = pages(1000);
  Xxh64 whole;
  whole.add(as_bytes(text));
  Xxh64 in_parts;
  for (std::size_t at = 0; at < text.size(); at += 7) {
    in_parts.add(as_bytes(text).subspan(at, std::min<std::size_t>(7, text.size() - at)));
  }
  EXPECT_EQ(in_parts.value(), whole.value());
}

}  // namespace
}  // namespace barman::compression
