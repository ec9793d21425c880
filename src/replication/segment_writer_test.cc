#include "replication/segment_writer.h"

#include <unistd.h>

#include <gtest/gtest.h>

#include "base/durable.h"
#include "base/error.h"

namespace barman::replication {
namespace {

namespace fs = std::filesystem;

constexpr wal::SegmentSize kSegmentSize{std::uint64_t{1} << 20};
constexpr wal::Lsn kBegin{0x300000};

class SegmentWriterTest : public testing::Test {
 protected:
  SegmentWriterTest()
      : directory_(fs::temp_directory_path() / ("segment_writer_" + std::to_string(::getpid()))) {
    remove_tree(directory_);
    make_directories(directory_);
  }
  ~SegmentWriterTest() override { remove_tree(directory_); }

  const fs::path directory_;
  const fs::path final_ = directory_ / "000000010000000000000003";
  const fs::path partial_ = directory_ / "000000010000000000000003.partial";
};

TEST_F(SegmentWriterTest, ThePartialHasItsFullSizeFromTheBeginning) {
  SegmentWriter writer(directory_, kSegmentSize);
  writer.begin({{1}, kBegin});
  EXPECT_FALSE(writer.write(as_bytes("abc")));
  const std::string content = read_file(partial_);
  EXPECT_EQ(content, "abc" + std::string(kSegmentSize.bytes - 3, '\0'));
  EXPECT_EQ(writer.space_left(), kSegmentSize.bytes - 3);
}

TEST_F(SegmentWriterTest, OnlyWhatIsSyncedCountsAsFlushed) {
  SegmentWriter writer(directory_, kSegmentSize);
  writer.begin({{1}, kBegin});
  writer.write(as_bytes("abc"));
  EXPECT_EQ(writer.written().value, kBegin.value + 3);
  EXPECT_EQ(writer.flushed(), kBegin);
  writer.flush();
  EXPECT_EQ(writer.flushed().value, kBegin.value + 3);
}

TEST_F(SegmentWriterTest, ACompleteSegmentIsRenamed) {
  SegmentWriter writer(directory_, kSegmentSize);
  writer.begin({{1}, kBegin});
  const std::string half(kSegmentSize.bytes / 2, 'x');
  EXPECT_FALSE(writer.write(as_bytes(half)));
  EXPECT_EQ(writer.write(as_bytes(half)), final_);
  EXPECT_FALSE(fs::exists(partial_));
  EXPECT_EQ(read_file(final_), half + half);
  EXPECT_EQ(writer.flushed().value, kBegin.value + kSegmentSize.bytes);
  EXPECT_EQ(writer.space_left(), kSegmentSize.bytes);
  writer.write(as_bytes("next"));
  EXPECT_TRUE(fs::exists(directory_ / "000000010000000000000004.partial"));
}

TEST_F(SegmentWriterTest, ContinuesAPartialOfFullOrZeroSizeOnly) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{kSegmentSize.bytes}}) {
    write_file_durably(partial_, std::string(size, 'o'));
    SegmentWriter writer(directory_, kSegmentSize);
    writer.begin({{1}, kBegin});
    writer.write(as_bytes("new"));
    const std::string content = read_file(partial_);
    EXPECT_EQ(content.size(), kSegmentSize.bytes);
    EXPECT_EQ(content.substr(0, 3), "new");
  }
  write_file_durably(partial_, "short");
  SegmentWriter writer(directory_, kSegmentSize);
  writer.begin({{1}, kBegin});
  try {
    writer.write(as_bytes("new"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    EXPECT_NE(error.message().find(partial_.string()), std::string::npos);
  }
  EXPECT_EQ(read_file(partial_), "short");
}

TEST_F(SegmentWriterTest, ANewTimelineLeavesTheOldPartial) {
  SegmentWriter writer(directory_, kSegmentSize);
  writer.begin({{1}, kBegin});
  writer.write(as_bytes("old"));
  writer.begin({{2}, kBegin});
  writer.write(as_bytes("new"));
  EXPECT_EQ(read_file(partial_).substr(0, 3), "old");
  EXPECT_EQ(read_file(directory_ / "000000020000000000000003.partial").substr(0, 3), "new");
}

TEST_F(SegmentWriterTest, WritesHistoryFiles) {
  const SegmentWriter reader(directory_, kSegmentSize);
  SegmentWriter writer(directory_, kSegmentSize);
  EXPECT_TRUE(writer.has_history({1}));
  EXPECT_FALSE(writer.has_history({2}));
  EXPECT_EQ(writer.write_history({2}, "1\t0/3000000\treason\n"), directory_ / "00000002.history");
  EXPECT_TRUE(reader.has_history({2}));
  EXPECT_EQ(read_file(directory_ / "00000002.history"), "1\t0/3000000\treason\n");
}

TEST_F(SegmentWriterTest, FilledSegmentsAreTheSameOnes) {
  SegmentWriter writer(directory_, kSegmentSize, SegmentWriter::NewSegments::fill);
  writer.begin({{1}, kBegin});
  EXPECT_FALSE(writer.write(as_bytes("abc")));
  EXPECT_EQ(read_file(partial_), "abc" + std::string(kSegmentSize.bytes - 3, '\0'));
}

}  // namespace
}  // namespace barman::replication
