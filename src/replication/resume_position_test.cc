#include "replication/resume_position.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace barman::replication {
namespace {

constexpr wal::SegmentSize kSize{std::uint64_t{16} << 20};
constexpr std::uint64_t kFull = kSize.bytes;

TEST(ResumePosition, AnEmptyDirectorySaysNothing) {
  EXPECT_EQ(resume_position({}, kSize), std::nullopt);
  EXPECT_EQ(resume_position({{"00000002.history", 40}, {"x.tmp", 1}, {"README", kFull}}, kSize),
            std::nullopt);
}

TEST(ResumePosition, GoesOnAtTheBeginningOfThePartialSegment) {
  EXPECT_EQ(resume_position(
                {{"000000010000000000000004", kFull}, {"000000010000000000000005.partial", kFull}},
                kSize),
            (StreamPosition{{1}, {0x5000000}}));
}

TEST(ResumePosition, GoesOnAfterTheCompleteSegment) {
  EXPECT_EQ(resume_position({{"000000010000000000000004", kFull}}, kSize),
            (StreamPosition{{1}, {0x5000000}}));
  EXPECT_EQ(resume_position({{"0000000100000001000000FF", kFull}}, kSize),
            (StreamPosition{{1}, {0x200000000}}));
}

TEST(ResumePosition, ACompleteSegmentWinsOverItsOwnPartial) {
  EXPECT_EQ(resume_position(
                {{"000000010000000000000004", kFull}, {"000000010000000000000004.partial", kFull}},
                kSize),
            (StreamPosition{{1}, {0x5000000}}));
}

TEST(ResumePosition, TheHigherTimelineWinsAtTheSameSegment) {
  EXPECT_EQ(resume_position(
                {{"000000010000000000000004", kFull}, {"000000020000000000000004.partial", kFull}},
                kSize),
            (StreamPosition{{2}, {0x4000000}}));
  EXPECT_EQ(
      resume_position(
          {{"000000020000000000000003", kFull}, {"000000010000000000000004.partial", 0}}, kSize),
      (StreamPosition{{1}, {0x4000000}}));
}

// Timeline 1 was left at 0/9800000 for 3; 2 is a branch of its own.
const postgres::TimelineHistory kPath{
    .timeline = {3}, .ancestors = {{.timeline = {1}, .switch_lsn = {0x9800000}, .reason = ""}}};

TEST(PositionOnPath, IsBehindWhatIsHeldOfTheServersOwnTimelines) {
  const std::vector<StreamFile> files = {{"00000001000000000000000C.partial", kFull},
                                         {"00000002.history", 40},
                                         {"00000002000000000000000D", kFull},
                                         {"000000030000000000000009", kFull},
                                         {"00000003000000000000000A.partial", kFull}};
  EXPECT_EQ(position_on_path(kPath, files, {}, kSize), (StreamPosition{{3}, {0xA000000}}));
}

TEST(PositionOnPath, LeavesATimelineWhereTheServerHasLeftIt) {
  EXPECT_EQ(position_on_path(kPath, {{"00000001000000000000000C", kFull}}, {}, kSize),
            (StreamPosition{{3}, {0x9800000}}));
  EXPECT_EQ(position_on_path(kPath, {{"000000010000000000000008", kFull}}, {}, kSize),
            (StreamPosition{{1}, {0x9000000}}));
}

TEST(PositionOnPath, LooksAtTheArchive) {
  const auto archived = [](wal::TimelineId timeline) -> std::optional<std::string> {
    if (timeline.value == 2) return "00000002000000000000000F";
    if (timeline.value == 1) return "000000010000000000000007";
    return std::nullopt;
  };
  const std::vector<StreamFile> other = {{"000000020000000000000010.partial", 0}};
  EXPECT_EQ(position_on_path(kPath, other, archived, kSize), (StreamPosition{{1}, {0x8000000}}));
  EXPECT_EQ(position_on_path(kPath, other, {}, kSize), std::nullopt);
}

TEST(ResumePosition, PassesOverSegmentsOfAWrongSize) {
  std::vector<std::string> ignored;
  EXPECT_EQ(resume_position({{"000000010000000000000003", kFull},
                             {"000000010000000000000007", 100},
                             {"0000000100000000000000aa", kFull}},
                            kSize, &ignored),
            (StreamPosition{{1}, {0x4000000}}));
  EXPECT_THAT(ignored, testing::ElementsAre("000000010000000000000007"));
}

TEST(ResumePosition, UsesTheSegmentSize) {
  EXPECT_EQ(resume_position({{"000000010000000100000003.partial", 0}}, {std::uint64_t{1} << 30}),
            (StreamPosition{{1}, {0x1C0000000}}));
}

}  // namespace
}  // namespace barman::replication
