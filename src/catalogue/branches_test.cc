#include "catalogue/branches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue/test_support.h"
#include "wal/wal_file_name.h"

namespace barman::catalogue {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using wal::Lsn;
using wal::TimelineId;

constexpr wal::SegmentSize kSize{1 << 20};
constexpr std::uint64_t kSegment = 1 << 20;

// Positions are given in tenths of a segment: 25 is the middle of segment 2.
Lsn at(std::uint64_t tenths) { return Lsn{tenths * kSegment / 10}; }

BackupInfo backup(std::uint32_t timeline, std::uint64_t end_tenths) {
  BackupInfo info = make_backup("20261121T0000" + std::to_string(10 + end_tenths % 90), "", "");
  info.timeline = TimelineId{timeline};
  info.end_xlog = at(end_tenths);
  return info;
}

void add_history(Branches& branches, std::uint32_t timeline,
                 std::vector<std::pair<std::uint32_t, std::uint64_t>> ancestors) {
  postgres::TimelineHistory history = {.timeline = TimelineId{timeline}, .ancestors = {}};
  for (const auto& [ancestor, tenths] : ancestors) {
    history.ancestors.push_back({TimelineId{ancestor}, at(tenths), ""});
  }
  branches.histories[TimelineId{timeline}] = history;
}

void add_wal(Branches& branches, std::uint32_t timeline, std::uint64_t last_number) {
  branches.last_segments[TimelineId{timeline}] =
      wal::segment_name({TimelineId{timeline}, last_number}, kSize);
}

// Three recoveries: 2 leaves 1 at 40, 3 leaves 1 at 60 and is where we are, 4 leaves 2 at 70.
Branches tree() {
  Branches branches = {.newest_archived = TimelineId{3}, .segment_size = kSize};
  add_history(branches, 2, {{1, 40}});
  add_history(branches, 3, {{1, 60}});
  add_history(branches, 4, {{1, 40}, {2, 70}});
  add_wal(branches, 1, 9);
  add_wal(branches, 2, 9);
  add_wal(branches, 3, 9);
  add_wal(branches, 4, 9);
  return branches;
}

std::string standing(const Branches& branches, std::uint32_t timeline, std::uint64_t end) {
  const Standing found = branches.standing_of(backup(timeline, end));
  return found.is_living() ? "living" : describe_standing(found);
}

TEST(Branches, KnowWhatReachesThePresent) {
  const Branches branches = tree();
  EXPECT_EQ(branches.present(), TimelineId{3});
  EXPECT_EQ(standing(branches, 1, 30), "living");
  EXPECT_EQ(standing(branches, 1, 60), "living");
  EXPECT_EQ(standing(branches, 3, 80), "living");
  EXPECT_EQ(standing(branches, 1, 61),
            "abandoned at 0/600000, where timeline 1 went on as timeline 3");
  EXPECT_EQ(standing(branches, 2, 50),
            "abandoned at 0/400000, where timeline 2 left timeline 1, which lives");
  EXPECT_EQ(standing(branches, 4, 80),
            "abandoned at 0/400000, where timeline 2 left timeline 1, which lives");
}

TEST(Branches, SayWhereTwoBranchesOfOnePointPart) {
  Branches branches = tree();
  add_history(branches, 2, {{1, 60}});
  EXPECT_EQ(standing(branches, 2, 80),
            "abandoned at 0/600000, where timeline 1 went on as timeline 3");
}

TEST(Branches, DoNotGuessWithoutHistory) {
  Branches branches = tree();
  branches.histories.erase(TimelineId{2});
  EXPECT_EQ(standing(branches, 2, 50),
            "on an unknown branch: timeline 2: its history file 00000002.history is not in the WAL "
            "archive");
  EXPECT_EQ(standing(branches, 1, 30), "living");
  branches.damaged[TimelineId{3}] = "it is garbage";
  branches.histories.erase(TimelineId{3});
  EXPECT_EQ(standing(branches, 1, 30), "on an unknown branch: timeline 3: it is garbage");
  EXPECT_EQ(standing(branches, 3, 80), "living");
  EXPECT_EQ(standing(Branches{}, 1, 30), "on an unknown branch: no WAL is archived");
}

TEST(Branches, APresentIsWhereWalWasArchivedLast) {
  Branches branches = tree();
  // A clone was promoted by mistake and has archived; the server went on.
  branches.newest_archived = TimelineId{1};
  EXPECT_EQ(branches.present(), TimelineId{1});
  EXPECT_EQ(standing(branches, 3, 80),
            "abandoned at 0/600000, where timeline 3 left timeline 1, which lives");
  // A late file of what both have in common.
  add_wal(branches, 1, 6);
  EXPECT_EQ(branches.present(), TimelineId{3});
  // Right after a promotion only the history file is there.
  branches.last_segments.erase(TimelineId{3});
  EXPECT_EQ(branches.present(), TimelineId{3});
  EXPECT_EQ(Branches{}.present(), std::nullopt);
}

TEST(Branches, KnowWhereABackupLeads) {
  Branches branches = tree();
  EXPECT_THAT(branches.descendants_of(backup(1, 30)),
              ElementsAre(TimelineId{4}, TimelineId{3}, TimelineId{2}, TimelineId{1}));
  EXPECT_THAT(branches.descendants_of(backup(1, 50)), ElementsAre(TimelineId{3}, TimelineId{1}));
  EXPECT_THAT(branches.descendants_of(backup(3, 80)), ElementsAre(TimelineId{3}));
  branches.last_segments.erase(TimelineId{3});
  EXPECT_THAT(branches.descendants_of(backup(1, 50)), ElementsAre(TimelineId{1}));
  EXPECT_EQ(branches.latest_as_postgres_sees_it(TimelineId{1}), TimelineId{4});
  // PostgreSQL asks whether a file is there, not what is in it.
  branches.damaged[TimelineId{2}] = "garbage";
  branches.histories.erase(TimelineId{2});
  EXPECT_EQ(branches.latest_as_postgres_sees_it(TimelineId{1}), TimelineId{4});
  branches.damaged.clear();
  EXPECT_EQ(branches.latest_as_postgres_sees_it(TimelineId{1}), TimelineId{1});
}

TEST(Branches, AreDrawnAsATree) {
  const std::vector<BackupInfo> backups = {backup(1, 30), backup(1, 61), backup(2, 50),
                                           backup(3, 80)};
  const std::vector<BranchRow> rows = draw_branches(tree(), backups);
  ASSERT_EQ(rows.size(), 4U);
  const auto timelines = [&] {
    std::vector<std::pair<std::uint32_t, std::size_t>> result;
    for (const BranchRow& row : rows) result.emplace_back(row.timeline.value, row.depth);
    return result;
  }();
  EXPECT_THAT(timelines, ElementsAre(std::pair(1U, 0U), std::pair(2U, 1U), std::pair(4U, 2U),
                                     std::pair(3U, 1U)));
  EXPECT_EQ(rows[0].left_at, at(60));
  EXPECT_EQ(rows[0].left_for, TimelineId{3});
  EXPECT_THAT(rows[0].backups, ElementsAre(backups[0].id));
  EXPECT_THAT(rows[0].abandoned_backups, ElementsAre(backups[1].id));
  EXPECT_THAT(rows[1].abandoned_backups, ElementsAre(backups[2].id));
  EXPECT_FALSE(rows[1].is_on_living_path);
  EXPECT_THAT(rows[2].backups, IsEmpty());
  EXPECT_TRUE(rows[3].is_present);
  EXPECT_EQ(rows[3].forked_at, at(60));
}

TEST(Branches, TellOfASegmentWhetherThePresentNeedsIt) {
  const Branches branches = tree();
  const auto rows = draw_branches(branches, {});
  const auto told = [&](std::uint32_t timeline, std::uint64_t number) {
    return describe_abandoned(rows, {.timeline = TimelineId{timeline}, .number = number}, kSize);
  };
  EXPECT_EQ(told(1, 6), "");
  EXPECT_EQ(told(1, 7), "timeline 1 was left at 0/600000 for timeline 3");
  EXPECT_EQ(told(2, 5), "timeline 2 is abandoned");
  EXPECT_EQ(told(3, 9), "");
}

}  // namespace
}  // namespace barman::catalogue
