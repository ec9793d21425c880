#include "wal_archive/wal_range.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue/test_support.h"

namespace barman::wal_archive {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

WalLines lines_named(std::vector<std::string> names) {
  return [names = std::move(names)](const WalIndexVisitor& visitor) {
    for (const std::string& name : names) {
      if (visitor({.name = name}) == Visit::stop) return;
    }
  };
}

TEST(FindArchiveConflict, WantsAnEmptyArchiveWithoutATimeline) {
  EXPECT_EQ(find_archive_conflict(lines_named({}), std::nullopt), std::nullopt);
  EXPECT_EQ(find_archive_conflict(lines_named({"00000001.history"}), std::nullopt),
            "Expected empty archive");
}

TEST(FindArchiveConflict, CountsFilesOfTheTimelineAndLaterOnes) {
  const WalLines lines =
      lines_named({"000000010000000000000001", "00000002.history", "000000020000000000000002",
                   "000000020000000000000002.00000028.backup"});
  EXPECT_EQ(find_archive_conflict(lines, wal::TimelineId{3}), std::nullopt);
  EXPECT_EQ(find_archive_conflict(lines, wal::TimelineId{2}),
            "Found 3 files in WAL archive equal to or newer than timeline 2");
  EXPECT_EQ(find_archive_conflict(lines_named({"00000009.history"}), wal::TimelineId{9}),
            "Found 1 file in WAL archive equal to or newer than timeline 9");
  EXPECT_EQ(find_archive_conflict(lines_named({"README"}), wal::TimelineId{2}),
            "Unexpected file README found in WAL archive");
}

TEST(FindRangeProblem, ChecksNamesThenTimelinesThenOrder) {
  const std::string a = "000000010000000000000001";
  const std::string b = "00000001000000000000000a";
  EXPECT_EQ(find_range_problem(a, a), std::nullopt);
  EXPECT_EQ(find_range_problem(a, b), std::nullopt);
  EXPECT_EQ(find_range_problem("foo", b), "Invalid WAL segment name: foo");
  EXPECT_EQ(find_range_problem(a, a + ".partial"), "Invalid WAL segment name: " + a + ".partial");
  EXPECT_EQ(find_range_problem(a, "00000002.history"),
            "Invalid WAL segment name: 00000002.history");
  EXPECT_EQ(
      find_range_problem(a, "000000020000000000000001"),
      "begin_wal (" + a + ") and end_wal (000000020000000000000001) must be on the same timeline");
  EXPECT_EQ(find_range_problem(b, a),
            "begin_wal (" + b + ") must not be greater than end_wal (" + a + ")");
}

TEST(ListMissingSegments, LooksAtTheFilesOfEachDirectory) {
  const TemporaryDirectory directory;
  const std::filesystem::path wals = directory.path();
  put_file(wals / "0000000100000000" / "0000000100000000000000FE", "x");
  put_file(wals / "0000000100000001" / "000000010000000100000001", "x");
  std::filesystem::create_directories(wals / "0000000100000001" / "000000010000000100000002");
  EXPECT_THAT(
      list_missing_segments(wals, "0000000100000000000000FE", "000000010000000100000002", {}),
      ElementsAre("0000000100000000000000FF", "000000010000000100000000",
                  "000000010000000100000002"));
  EXPECT_THAT(
      list_missing_segments(wals, "0000000100000000000000fe", "0000000100000000000000FE", {}),
      IsEmpty());
  EXPECT_THROW(
      list_missing_segments(wals, "000000010000000000000000", "0000000100000000000001FF", {}),
      Error);
  EXPECT_THROW(
      list_missing_segments(wals, "000000010000000000000000", "00000001FFFFFFFF000000FF", {}),
      Error);
}

}  // namespace
}  // namespace barman::wal_archive
