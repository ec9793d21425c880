#include "compression/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/error.h"
#include "base/process.h"

namespace barman::compression {
namespace {

class TextCollector final : public pipeline::Sink {
 public:
  void write(Bytes data) override { text += as_text(data); }
  void finish() override { ++finished; }
  std::string text;
  int finished = 0;
};

void push(pipeline::Sink& sink, std::string_view text, std::size_t step) {
  for (std::size_t i = 0; i < text.size(); i += step) sink.write(as_bytes(text.substr(i, step)));
  sink.finish();
}

std::string compressed(Algorithm algorithm, std::string_view text, std::string_view level = "low",
                       std::size_t step = 100000) {
  TextCollector result;
  push(*make_compressor(algorithm, resolve_level(algorithm, level), result), text, step);
  EXPECT_EQ(result.finished, 1);
  return result.text;
}

std::string decompressed(Algorithm algorithm, std::string_view text, std::size_t step = 100000) {
  TextCollector result;
  push(*make_decompressor(algorithm, result, "WAL"), text, step);
  EXPECT_EQ(result.finished, 1);
  return result.text;
}

std::string random_text(std::size_t size) {
  std::minstd_rand random(42);
  std::string text(size, '\0');
  for (char& byte : text) byte = static_cast<char>(random());
  return text;
}

// Like a segment: some noise, much repetition, a long tail of zeroes.
std::string segment_text() {
  std::string text = random_text(300000);
  for (int i = 0; i < 5000; ++i) text += "a row of a table " + std::to_string(i % 97);
  text.resize(6 << 20);
  return text;
}

class Codec : public ::testing::TestWithParam<Algorithm> {};

TEST_P(Codec, IsDetected) {
  for (const std::size_t step : {std::size_t{1}, std::size_t{100000}}) {
    TextCollector result;
    push(*make_detecting_decompressor(result, "WAL"), compressed(GetParam(), "some text"), step);
    EXPECT_EQ(result.text, "some text");
    EXPECT_EQ(result.finished, 1);
  }
}

TEST(Codec, HandsOnWhatIsNotCompressed) {
  for (const std::string& text : {std::string(), std::string("x"), random_text(100000)}) {
    TextCollector result;
    push(*make_detecting_decompressor(result, "WAL"), text, 7);
    EXPECT_TRUE(result.text == text);
    EXPECT_EQ(result.finished, 1);
  }
}

TEST_P(Codec, GivesBackWhatItTook) {
  for (const std::string& text : {std::string(), std::string("x"), std::string(65536, 'y'),
                                  random_text(70000), segment_text()}) {
    const std::string packed = compressed(GetParam(), text);
    EXPECT_EQ(detect(as_bytes(packed)), GetParam());
    EXPECT_TRUE(decompressed(GetParam(), packed) == text) << text.size();
  }
}

TEST_P(Codec, DoesNotCareHowBytesArrive) {
  const std::string text = segment_text().substr(250000, 200000);
  const std::string packed = compressed(GetParam(), text, "low", 777);
  EXPECT_TRUE(decompressed(GetParam(), packed) == text);
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{4096}}) {
    EXPECT_TRUE(decompressed(GetParam(), packed, step) == text) << step;
  }
}

TEST_P(Codec, EachLevelGivesBackWhatItTook) {
  const std::string text = segment_text().substr(200000, 200000);
  for (const char* level : {"low", "medium", "high", "-100"}) {
    EXPECT_TRUE(decompressed(GetParam(), compressed(GetParam(), text, level)) == text) << level;
  }
}

TEST_P(Codec, ReadsSeveralStreamsInARow) {
  const std::string packed = compressed(GetParam(), "one, ") + compressed(GetParam(), "two");
  EXPECT_EQ(decompressed(GetParam(), packed), "one, two");
  EXPECT_EQ(decompressed(GetParam(), packed, 1), "one, two");
}

TEST_P(Codec, CutOffDataIsDamaged) {
  const std::string packed = compressed(GetParam(), random_text(5000));
  for (std::size_t size = 0; size < packed.size(); size += 1 + size / 16) {
    // A stream of nothing but its identifier is whole in the framing format.
    if (GetParam() == Algorithm::snappy && size == 10) continue;
    EXPECT_THROW(decompressed(GetParam(), packed.substr(0, size)), Error) << size;
  }
}

TEST_P(Codec, ChangedBytesNeverPassAsTheOriginal) {
  const std::string text = segment_text().substr(290000, 30000);
  const std::string packed = compressed(GetParam(), text);
  for (std::size_t i = 0; i < packed.size(); i += 1 + packed.size() / 200) {
    std::string damaged = packed;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    try {
      EXPECT_TRUE(decompressed(GetParam(), damaged) == text) << "byte " << i;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::corrupt) << error.describe();
      EXPECT_THAT(error.message(), ::testing::StartsWith("\"WAL\" is damaged: "));
    }
  }
}

TEST_P(Codec, RefusesOtherDataBehindIt) {
  EXPECT_THROW(decompressed(GetParam(), compressed(GetParam(), "one") + "other data that follows"),
               Error);
}

// What Python's tarfile reads: it stops where the first member or frame ends.
TEST_P(Codec, AnArchiveIsOneStream) {
  for (const std::size_t threads : {std::size_t{1}, std::size_t{2}}) {
    TextCollector archive;
    const std::string text = segment_text().substr(0, 4 << 20) + random_text(3 << 20);
    push(*make_archive_compressor(GetParam(), {}, threads, archive), text, 70000);
    EXPECT_EQ(archive.finished, 1);
    int ends = 0;
    TextCollector result;
    push(*make_decompressor(GetParam(), result, "archive", [&](std::size_t) { ++ends; }),
         archive.text, 100000);
    EXPECT_TRUE(result.text == text);
    EXPECT_LE(ends, 1);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Codec,
                         ::testing::Values(Algorithm::bzip2, Algorithm::gzip, Algorithm::lz4,
                                           Algorithm::snappy, Algorithm::xz, Algorithm::zstd),
                         [](const auto& test) { return std::string(to_text(test.param)); });

// Against the tools that everybody has (scripts/install-dependencies).
class UsualTool : public ::testing::TestWithParam<Algorithm> {
 protected:
  std::string run(const std::string& option, const std::string& input) {
    const ProcessResult result = run_process(
        {.argv = {std::string(to_text(GetParam())), option, "-c"}, .standard_input = input});
    EXPECT_EQ(result.exit_code, 0) << result.standard_error;
    return result.standard_output;
  }
};

TEST_P(UsualTool, ReadsAndWritesTheSame) {
  const std::string text = segment_text().substr(200000, 900000);
  const std::string unpacked = run("-d", compressed(GetParam(), text));
  EXPECT_TRUE(unpacked == text);
  EXPECT_TRUE(decompressed(GetParam(), run("-1", text)) == text);
}

INSTANTIATE_TEST_SUITE_P(All, UsualTool,
                         ::testing::Values(Algorithm::bzip2, Algorithm::gzip, Algorithm::lz4,
                                           Algorithm::xz, Algorithm::zstd),
                         [](const auto& test) { return std::string(to_text(test.param)); });

TEST(Snappy, ReadsTheExampleOfTheFormat) {
  using namespace std::string_literals;
  // Identifier, padding, a chunk that is skipped, and "Wikipedia" uncompressed with its checksum.
  TextCollector packed;
  push(*make_compressor(Algorithm::snappy, 0, packed), "Wikipedia", 9);
  EXPECT_EQ(packed.text.substr(0, 14), "\xff\x06\x00\x00sNaPpY\x01\x0d\x00\x00"s);
  const std::string mixed =
      packed.text.substr(0, 10) + "\xfe\x02\x00\x00pp\x80\x01\x00\x00s"s + packed.text.substr(10);
  EXPECT_EQ(decompressed(Algorithm::snappy, mixed, 3), "Wikipedia");
  EXPECT_THROW(decompressed(Algorithm::snappy, packed.text.substr(0, 10) + "\x02\x00\x00\x00"s),
               Error);
}

TEST(Gzip, ZeroesMayFollow) {
  EXPECT_EQ(
      decompressed(Algorithm::gzip, compressed(Algorithm::gzip, "one") + std::string(600, '\0')),
      "one");
}

}  // namespace
}  // namespace barman::compression
