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

TEST(ResumePosition, NewerTimelinesAloneTellWhereTheyAre) {
  const std::vector<StreamFile> files = {{"00000001000000000000000C.partial", kFull},
                                         {"00000001000000000000000B", kFull},
                                         {"00000002.history", 40},
                                         {"000000020000000000000009", kFull},
                                         {"00000002000000000000000A.partial", kFull}};
  EXPECT_EQ(resume_position(files, kSize), (StreamPosition{{1}, {0xC000000}}));
  EXPECT_EQ(resume_position(newer_timelines(files, {1}), kSize),
            (StreamPosition{{2}, {0xA000000}}));
  EXPECT_EQ(resume_position(newer_timelines(files, {2}), kSize), std::nullopt);
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
