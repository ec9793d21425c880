#include "restore/choose_backup.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace barman::restore {
namespace {

using catalogue::BackupId;
using catalogue::BackupInfo;
using wal::TimelineId;

BackupInfo backup(const std::string& id, std::uint32_t timeline, std::uint64_t end_lsn) {
  BackupInfo info;
  info.id = BackupId{id};
  info.status = catalogue::BackupStatus::done;
  info.timeline = TimelineId{timeline};
  info.end_xlog = wal::Lsn{end_lsn};
  info.end_time = parse_timestamp(id + "Z")->time;
  return info;
}

// Timeline 2 leaves 1 at 1000, timeline 3 leaves 1 at 2000.
ArchivedTimelines timelines() {
  ArchivedTimelines known;
  known.newest_with_segment = TimelineId{3};
  known.histories[TimelineId{2}] = {TimelineId{2}, {{TimelineId{1}, wal::Lsn{1000}, ""}}};
  known.histories[TimelineId{3}] = {TimelineId{3}, {{TimelineId{1}, wal::Lsn{2000}, ""}}};
  return known;
}

const std::vector<BackupInfo>& backups() {
  static const std::vector<BackupInfo> kBackups = {
      backup("20261121T010000", 1, 500), backup("20261121T020000", 1, 1500),
      backup("20261121T030000", 2, 3000), backup("20261121T040000", 3, 4000)};
  return kBackups;
}

std::string choose(const TargetRequest& request, const std::set<BackupId>& being_deleted = {}) {
  return choose_backup(backups(), being_deleted, parse_target(request), timelines()).id.value;
}

TEST(ChooseBackup, TakesTheNewest) {
  EXPECT_EQ(choose({}), "20261121T040000");
  EXPECT_EQ(choose({}, {BackupId{"20261121T040000"}}), "20261121T030000");
}

TEST(ChooseBackup, TakesTheNewestBeforeTheTime) {
  EXPECT_EQ(choose({.time = "2026-11-21 02:30:00+00:00"}), "20261121T020000");
  EXPECT_EQ(choose({.time = "2026-11-21 02:00:00+00:00"}), "20261121T020000");
}

TEST(ChooseBackup, TakesTheNewestBeforeTheLsn) {
  EXPECT_EQ(choose({.lsn = "0/5DC"}), "20261121T020000");  // 1500
  EXPECT_EQ(choose({.lsn = "0/5DB"}), "20261121T010000");
}

TEST(ChooseBackup, FollowsTheAncestryOfATimeline) {
  EXPECT_EQ(choose({.timeline = "3"}), "20261121T040000");
  // The backup of 02:00 lies behind the point at which timeline 2 left timeline 1.
  EXPECT_EQ(choose({.time = "2026-11-21 02:30:00+00:00", .timeline = "2"}), "20261121T010000");
  EXPECT_EQ(choose({.time = "2026-11-21 03:30:00+00:00", .timeline = "latest"}), "20261121T020000");
}

TEST(ChooseBackup, RefusesWhatNothingReaches) {
  EXPECT_THROW(choose({.time = "2020-01-01 00:00:00+00:00"}), Error);
  EXPECT_THROW(choose({.timeline = "7"}), Error);
}

TEST(ChooseBackup, RefusesTargetsThatSayNothingAboutBackups) {
  EXPECT_THROW(refuse_target_for_automatic_choice({.xid = "5"}), Error);
  EXPECT_THROW(refuse_target_for_automatic_choice({.name = "x"}), Error);
  EXPECT_THROW(refuse_target_for_automatic_choice({.immediate = true}), Error);
  EXPECT_THROW(refuse_target_for_automatic_choice({.timeline = "current"}), Error);
  EXPECT_NO_THROW(refuse_target_for_automatic_choice({.time = "2026-11-21"}));
}

TEST(ChooseTimeline, RefusesTimelinesThatDoNotDescend) {
  const BackupInfo late = backups()[1];
  EXPECT_THROW(choose_timeline(timelines(), late, "2", TimelineDefault::own), Error);
  EXPECT_THROW(choose_timeline(timelines(), late, "4", TimelineDefault::own), Error);
  EXPECT_EQ(choose_timeline(timelines(), late, "3", TimelineDefault::own).timeline, TimelineId{3});
  EXPECT_EQ(choose_timeline(timelines(), late, "1", TimelineDefault::own).timeline, TimelineId{1});
  EXPECT_EQ(choose_timeline(timelines(), late, "current", TimelineDefault::latest).timeline,
            TimelineId{1});
}

TEST(ChooseTimeline, NamesTheTimelineThatPostgresWouldNotFind) {
  EXPECT_FALSE(choose_timeline(timelines(), backups()[1], std::nullopt, TimelineDefault::latest)
                   .must_be_written);
  // On timeline 2, "latest" would be 3, which is no descendant.
  const TimelineChoice choice =
      choose_timeline(timelines(), backups()[2], std::nullopt, TimelineDefault::latest);
  EXPECT_EQ(choice.timeline, TimelineId{2});
  EXPECT_TRUE(choice.must_be_written);
}

}  // namespace
}  // namespace barman::restore
