#include "pipeline/large_file_sink.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/scratch_directory.h"
#include "pipeline/test_support.h"

namespace barman::pipeline {
namespace {

constexpr std::size_t kSinkBlock = BlockPool::kBlockSize;

// A directory on a disk and one in memory.
class LargeFileSinkTest : public testing::TestWithParam<std::string> {
 protected:
  // In pieces as they come from a compressor.
  static void write(LargeFileSink& sink, const std::string& content) {
    constexpr std::size_t kPiece = 700'001;
    for (std::size_t begin = 0; begin < content.size(); begin += kPiece) {
      sink.write(as_bytes(std::string_view(content).substr(begin, kPiece)));
    }
  }
  static std::string content_of_size(std::size_t size_bytes) {
    std::string content(size_bytes, '\0');
    for (std::size_t i = 0; i < size_bytes; ++i) {
      content[i] = static_cast<char>((i * 31 + size_bytes) / 7 % 251);
    }
    return content;
  }

  const ScratchDirectory scratch_{GetParam(), "barman-locked-large-file."};
  const std::filesystem::path root_ = scratch_.path();
};

TEST_P(LargeFileSinkTest, WritesFilesOfAnySize) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{100}, kSinkBlock - 1, kSinkBlock,
                                 kSinkBlock + 1, 9 * kSinkBlock + 777}) {
    const std::string content = content_of_size(size);
    LargeFileSink sink(root_ / "file");
    write(sink, content);
    sink.finish();
    EXPECT_EQ(read_file(root_ / "file", 2 * size + 1), content) << size;
  }
}

TEST_P(LargeFileSinkTest, AFileAppearsWhenItIsCompleteOrNotAtAll) {
  for (const std::size_t size : {std::size_t{100}, 3 * kSinkBlock}) {
    {
      LargeFileSink sink(root_ / "file");
      write(sink, content_of_size(size));
      EXPECT_FALSE(std::filesystem::exists(root_ / "file"));
    }
    EXPECT_TRUE(std::filesystem::is_empty(root_));
  }
}

TEST_P(LargeFileSinkTest, TellsTheFileThatCannotBeWritten) {
  for (const std::size_t size : {kSinkBlock, 40 * kSinkBlock}) {
    const FileSizeLimit limit(kSinkBlock / 4);
    LargeFileSink sink(root_ / "too-large");
    try {
      write(sink, content_of_size(size));
      sink.finish();
      ADD_FAILURE() << size;
    } catch (const Error& error) {
      EXPECT_NE(error.message().find((root_ / "too-large").string()), std::string::npos)
          << error.message();
    }
  }
  EXPECT_TRUE(std::filesystem::is_empty(root_));
}

INSTANTIATE_TEST_SUITE_P(FileSystems, LargeFileSinkTest, testing::Values("/var/tmp", "/dev/shm"));

TEST(LargeFileSink, LeavesThePageCacheAlone) {
  const ScratchDirectory scratch("/var/tmp", "barman-locked-large-file.");
  const std::filesystem::path& root = scratch.path();
  if (!takes_direct_writes(root)) {
    GTEST_SKIP() << "this file system writes through the page cache only";
  }
  LargeFileSink sink(root / "large");
  const std::vector<std::byte> piece(300'000);
  for (int i = 0; i < 100; ++i) sink.write(piece);
  sink.finish();
  EXPECT_EQ(std::filesystem::file_size(root / "large"), 30'000'000U);
  EXPECT_LE(cached_bytes(root / "large"), kSinkBlock) << "its end";
}

}  // namespace
}  // namespace barman::pipeline
