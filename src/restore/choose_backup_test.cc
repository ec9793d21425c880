#include "restore/choose_backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "catalogue/newest_backup.h"
#include "wal_archive/timelines.h"

namespace barman::restore {
namespace {

using catalogue::BackupId;
using catalogue::BackupInfo;
using wal::TimelineId;
using wal_archive::choose_timeline;
using wal_archive::TimelineChoice;
using wal_archive::TimelineDefault;

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
catalogue::Branches timelines() {
  catalogue::Branches known;
  known.newest_archived = TimelineId{3};
  known.last_segments = {{TimelineId{1}, "000000010000000000000001"},
                         {TimelineId{2}, "000000020000000000000001"},
                         {TimelineId{3}, "000000030000000000000001"}};
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

BackupChoice choice_of(const TargetRequest& request, const catalogue::Annotations& annotations) {
  return choose_backup({.backups = backups(), .broken = {}}, annotations, parse_target(request),
                       timelines());
}

std::string choose(const TargetRequest& request, const std::set<BackupId>& being_deleted = {}) {
  return choice_of(request, {.being_deleted = being_deleted}).backup.id.value;
}

TEST(ChooseBackup, TakesTheNewest) {
  EXPECT_EQ(choose({}), "20261121T040000");
  // That of 03:00 lies on an abandoned branch.
  EXPECT_EQ(choose({}, {BackupId{"20261121T040000"}}), "20261121T020000");
}

TEST(ChooseBackup, NamesTheEarliestMomentWhenTheTargetIsBeforeIt) {
  const auto hint_of = [](const TargetRequest& request) {
    try {
      choose(request);
    } catch (const Error& error) {
      return error.hint();
    }
    return std::string();
  };
  EXPECT_THAT(hint_of({.time = "2026-11-20 00:00:00Z"}),
              testing::HasSubstr("the end of backup 20261121T010000"));
  EXPECT_THAT(hint_of({.lsn = "0/10"}), testing::HasSubstr("is LSN 0/1F4, the end of backup "));
}

TEST(ChooseBackup, TellsWhatItPassesOver) {
  const BackupChoice choice =
      choice_of({}, {.being_deleted = {BackupId{"20261121T040000"}},
                     .unreadable = {{BackupId{"20261121T020000"}, "its directory is gone"}}});
  EXPECT_EQ(choice.backup.id.value, "20261121T010000");
  EXPECT_THAT(choice.notes,
              testing::ElementsAre("Backup 20261121T030000 is passed over: abandoned at 0/3E8, "
                                   "where timeline 2 left timeline 1, which lives."));
  EXPECT_THAT(choice.warnings,
              testing::ElementsAre("Backup 20261121T020000 is passed over, it cannot be restored: "
                                   "its directory is gone."));
}

TEST(ChooseBackup, PassesOverABrokenChain) {
  std::vector<BackupInfo> list = backups();
  BackupInfo incremental = backup("20261121T050000", 3, 5000);
  incremental.parent_backup_id = BackupId{"20261121T040000"};
  list.push_back(incremental);
  catalogue::Annotations annotations;
  annotations.directories = {BackupId{"20261121T010000"}, BackupId{"20261121T020000"},
                             BackupId{"20261121T050000"}};
  const BackupChoice choice =
      choose_backup({.backups = list, .broken = {}}, annotations, {}, timelines());
  EXPECT_EQ(choice.backup.id.value, "20261121T020000");
  EXPECT_THAT(choice.warnings,
              testing::ElementsAre(testing::HasSubstr("of parent 20261121T040000: its directory is "
                                                      "missing"),
                                   testing::HasSubstr("its directory is missing")));
}

TEST(ChooseBackup, TakesNewestForTheNewestThatReachesThePresent) {
  std::vector<BackupInfo> list = backups();
  list.pop_back();
  const auto newest = [&](const catalogue::Branches& branches) {
    return catalogue::find_newest({.backups = list, .broken = {}}, {}, branches, "latest", "main")
        .backup.id.value;
  };
  EXPECT_EQ(newest(timelines()), "20261121T020000");
  // Nothing is known of branches: what the word always means.
  EXPECT_EQ(newest({}), "20261121T030000");
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
  EXPECT_EQ(choose({.timeline = wal::parse_timeline_target("3")}), "20261121T040000");
  // The backup of 02:00 lies behind the point at which timeline 2 left timeline 1.
  EXPECT_EQ(
      choose({.time = "2026-11-21 02:30:00+00:00", .timeline = wal::parse_timeline_target("2")}),
      "20261121T010000");
  EXPECT_EQ(choose({.time = "2026-11-21 03:30:00+00:00",
                    .timeline = wal::parse_timeline_target("latest")}),
            "20261121T020000");
}

TEST(ChooseBackup, RefusesWhatNothingReaches) {
  EXPECT_THROW(choose({.time = "2020-01-01 00:00:00+00:00"}), Error);
  EXPECT_THROW(choose({.timeline = wal::parse_timeline_target("7")}), Error);
}

TEST(ChooseBackup, TellsOfTheOtherMomentThatTheClockShowed) {
  RecoveryTarget target = parse_target({.time = "2020-01-01 00:00:00+00:00"});
  target.zone_doubt = "Shown twice.";
  try {
    choose_backup({.backups = backups(), .broken = {}}, {}, target, timelines());
    ADD_FAILURE() << "nothing was refused";
  } catch (const Error& error) {
    EXPECT_THAT(error.hint(), testing::StartsWith("Shown twice. The earliest moment"));
  }
}

TEST(ChooseBackup, RefusesTargetsThatSayNothingAboutBackups) {
  EXPECT_THROW(refuse_target_for_automatic_choice({.xid = "5"}), Error);
  EXPECT_THROW(refuse_target_for_automatic_choice({.name = "x"}), Error);
  EXPECT_THROW(refuse_target_for_automatic_choice({.immediate = true}), Error);
  EXPECT_THROW(
      refuse_target_for_automatic_choice({.timeline = wal::parse_timeline_target("current")}),
      Error);
  EXPECT_NO_THROW(refuse_target_for_automatic_choice({.time = "2026-11-21"}));
}

TEST(ChooseTimeline, RefusesTimelinesThatDoNotDescend) {
  const BackupInfo late = backups()[1];
  EXPECT_THROW(
      choose_timeline(timelines(), late, wal::parse_timeline_target("2"), TimelineDefault::own),
      Error);
  EXPECT_THROW(
      choose_timeline(timelines(), late, wal::parse_timeline_target("4"), TimelineDefault::own),
      Error);
  EXPECT_EQ(
      choose_timeline(timelines(), late, wal::parse_timeline_target("3"), TimelineDefault::own)
          .timeline,
      TimelineId{3});
  EXPECT_EQ(
      choose_timeline(timelines(), late, wal::parse_timeline_target("1"), TimelineDefault::own)
          .timeline,
      TimelineId{1});
  EXPECT_EQ(choose_timeline(timelines(), late, wal::parse_timeline_target("current"),
                            TimelineDefault::present)
                .timeline,
            TimelineId{1});
}

TimelineChoice choice_for(const catalogue::Branches& branches, const BackupInfo& backup,
                          const char* requested = nullptr) {
  return choose_timeline(
      branches, backup, requested == nullptr ? std::nullopt : wal::parse_timeline_target(requested),
      TimelineDefault::present);
}

TEST(ChooseTimeline, NamesTheTimelineThatPostgresWouldNotFind) {
  EXPECT_EQ(choice_for(timelines(), backups()[1]).setting, std::nullopt);
  // On timeline 2, "latest" would be 3, which is no descendant.
  const TimelineChoice choice = choice_for(timelines(), backups()[2]);
  EXPECT_EQ(choice.timeline, TimelineId{2});
  EXPECT_EQ(choice.setting, wal::parse_timeline_target("current"));
  // A clone has begun a timeline that is not the present, and archived it.
  catalogue::Branches branches = timelines();
  branches.histories[TimelineId{4}] = {
      TimelineId{4}, {{TimelineId{1}, wal::Lsn{2000}, ""}, {TimelineId{3}, wal::Lsn{5000}, ""}}};
  branches.last_segments[TimelineId{4}] = "000000040000000000000001";
  branches.last_segments[TimelineId{3}] = "000000030000000000000009";
  EXPECT_EQ(choice_for(branches, backups()[1]).timeline, TimelineId{3});
  EXPECT_EQ(choice_for(branches, backups()[1]).setting, wal::parse_timeline_target("3"));
  EXPECT_EQ(choice_for(branches, backups()[1], "latest").timeline, TimelineId{4});
  EXPECT_EQ(choice_for(branches, backups()[1], "latest").setting, std::nullopt);
}

// PostgreSQL reads the history file of a timeline that is named by its number, and of "latest".
TEST(ChooseTimeline, NeedsNoHistoryOfTheTimelineOfTheBackup) {
  catalogue::Branches branches = timelines();
  branches.histories.erase(TimelineId{2});
  EXPECT_EQ(choice_for(branches, backups()[2], "2").setting, wal::parse_timeline_target("current"));
  EXPECT_EQ(choice_for(branches, backups()[2]).setting, wal::parse_timeline_target("current"));
  EXPECT_FALSE(choice_for(branches, backups()[2]).hides_own_history);
  EXPECT_THROW(choice_for(branches, backups()[0], "2"), Error);
}

TEST(ChooseTimeline, ReadsOnlyTheHistoryThatIsNeeded) {
  catalogue::Branches branches = timelines();
  branches.histories.erase(TimelineId{2});
  branches.damaged[TimelineId{2}] = "00000002.history is garbage";
  EXPECT_EQ(choice_for(branches, backups()[1]).timeline, TimelineId{3});
  EXPECT_EQ(choice_for(branches, backups()[1], "1").timeline, TimelineId{1});
  const TimelineChoice choice = choice_for(branches, backups()[2], "2");
  EXPECT_EQ(choice.setting, wal::parse_timeline_target("current"));
  EXPECT_TRUE(choice.hides_own_history);
  try {
    choice_for(branches, backups()[0], "2");
    ADD_FAILURE() << "not refused";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), testing::HasSubstr("00000002.history is garbage"));
  }
}

}  // namespace
}  // namespace barman::restore
