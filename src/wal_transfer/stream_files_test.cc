#include "wal_transfer/stream_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wal_transfer/test_support.h"

namespace barman::wal_transfer {
namespace {

constexpr wal::SegmentSize kSmall = {std::uint64_t{1} << 20};

TEST(StreamFiles, NextSegmentIsMarkedByAnEmptyPartialFile) {
  const TemporaryDirectory directory;
  const auto completed = directory.path() / "000000010000000000000FFF";
  put_file(completed, std::string(kSmall.bytes, 'x'));
  mark_next_segment(completed);
  EXPECT_THAT(
      list_names(directory.path()),
      ::testing::ElementsAre("000000010000000000000FFF", "000000010000000100000000.partial"));
  EXPECT_EQ(std::filesystem::file_size(directory.path() / "000000010000000100000000.partial"), 0U);
}

TEST(StreamFiles, MarkLeavesAnExistingPartialFile) {
  const TemporaryDirectory directory;
  const auto completed = directory.path() / wal_name(1);
  put_file(completed, std::string(kSmall.bytes, 'x'));
  put_file(directory.path() / (wal_name(2) + ".partial"), "content");
  mark_next_segment(completed);
  EXPECT_EQ(get_file(directory.path() / (wal_name(2) + ".partial")), "content");
}

TEST(StreamFiles, OnlyAPartialFileOfImpossibleSizeIsTruncated) {
  const TemporaryDirectory directory;
  put_file(directory.path() / (wal_name(1) + ".partial"), "older");
  put_file(directory.path() / (wal_name(2) + ".partial"), "broken");
  const auto truncated = truncate_broken_partial(directory.path(), kSmall, {1});
  ASSERT_TRUE(truncated);
  EXPECT_EQ(truncated->size_bytes, 6U);
  EXPECT_EQ(get_file(directory.path() / (wal_name(2) + ".partial")), "");
  EXPECT_EQ(get_file(directory.path() / (wal_name(1) + ".partial")), "older");
  EXPECT_FALSE(truncate_broken_partial(directory.path(), kSmall, {1}));
}

TEST(StreamFiles, APartialFileOfALaterTimelineIsNotTruncated) {
  const TemporaryDirectory directory;
  const std::string later = "000000020000000000000009.partial";
  put_file(directory.path() / later, "nobody fills it again");
  put_file(directory.path() / (wal_name(2) + ".partial"), "broken");
  ASSERT_TRUE(truncate_broken_partial(directory.path(), kSmall, {1}));
  EXPECT_EQ(get_file(directory.path() / (wal_name(2) + ".partial")), "");
  EXPECT_EQ(get_file(directory.path() / later), "nobody fills it again");
}

}  // namespace
}  // namespace barman::wal_transfer
