#include "postgres/timeline_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace barman::postgres {
namespace {

wal::Lsn lsn(std::string_view text) { return *wal::parse_lsn(text); }

TimelineHistory history_of_4() {
  return parse_timeline_history(wal::TimelineId{4},
                                "1\t0/3000158\tno recovery target specified\n"
                                "\n"
                                "# a comment\n"
                                "2\t0/5000000\tbefore 2026-11-21 05:27:30.1+00\n");
}

TEST(TimelineHistory, ReadsEntriesInOrder) {
  EXPECT_THAT(history_of_4().ancestors,
              testing::ElementsAre(
                  TimelineHistoryEntry{{1}, lsn("0/3000158"), "no recovery target specified"},
                  TimelineHistoryEntry{{2}, lsn("0/5000000"), "before 2026-11-21 05:27:30.1+00"}));
}

TEST(TimelineHistory, KnowsItsAncestors) {
  const TimelineHistory history = history_of_4();
  EXPECT_TRUE(history.is_ancestor({1}));
  EXPECT_TRUE(history.is_ancestor({4}));
  EXPECT_FALSE(history.is_ancestor({3}));
  EXPECT_EQ(history.switch_point({2}), lsn("0/5000000"));
  EXPECT_EQ(history.switch_point({4}), std::nullopt);
}

TEST(TimelineHistory, TellsWhichTimelineHoldsAByte) {
  const TimelineHistory history = history_of_4();
  EXPECT_EQ(history.timeline_at(lsn("0/3000157")).value, 1U);
  EXPECT_EQ(history.timeline_at(lsn("0/3000158")).value, 2U);
  EXPECT_EQ(history.timeline_at(lsn("0/5000000")).value, 4U);
}

TEST(TimelineHistory, ContainsOnlyPositionsBeforeTheSwitch) {
  const TimelineHistory history = history_of_4();
  EXPECT_TRUE(history.contains({1}, lsn("0/2000000")));
  EXPECT_TRUE(history.contains({1}, lsn("0/3000158")));
  EXPECT_FALSE(history.contains({1}, lsn("0/3000159")));
  EXPECT_FALSE(history.contains({2}, lsn("0/2000000")));
  EXPECT_TRUE(history.contains({2}, lsn("0/4000000")));
  EXPECT_FALSE(history.contains({3}, lsn("0/4000000")));
  EXPECT_FALSE(history.contains({4}, lsn("0/4000000")));
  EXPECT_TRUE(history.contains({4}, lsn("9/0")));
}

TEST(TimelineHistory, OfTheFirstTimelineIsEmpty) {
  const TimelineHistory history = parse_timeline_history(wal::TimelineId{1}, "");
  EXPECT_TRUE(history.contains({1}, lsn("0/1")));
  EXPECT_EQ(history.timeline_at(lsn("0/1")).value, 1U);
}

TEST(TimelineHistory, RejectsWhatPostgresRejects) {
  for (const std::string_view text :
       {"x\t0/1\treason\n", "1\n", "1\tnonsense\treason\n", "2\t0/1\n1\t0/2\n", "1\t0/1\n1\t0/2\n",
        "4\t0/1\n", "0\t0/1\n", "-1\t0/1\n"}) {
    EXPECT_THROW(parse_timeline_history(wal::TimelineId{4}, text), Error) << text;
  }
}

TEST(TimelineHistory, AcceptsALineWithoutReasonOrNewline) {
  EXPECT_EQ(parse_timeline_history(wal::TimelineId{2}, "1\t0/3000158").ancestors.size(), 1U);
}

}  // namespace
}  // namespace barman::postgres
