#include "catalogue/retention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_zone.h"
#include "base/timestamp.h"
#include "catalogue/test_support.h"

namespace barman::catalogue {
namespace {

constexpr std::int64_t kDay = 86400;
const Timestamp kNow{.microseconds = 1'000 * kDay * 1'000'000};

// Ended `age_days` before now; the ID sorts by age.
BackupInfo aged(int age_days, BackupStatus status = BackupStatus::done) {
  BackupInfo info =
      make_backup("2026" + std::to_string(9999 - age_days) + "T000000", "", "", status);
  info.end_time = Timestamp{.microseconds = kNow.microseconds - age_days * kDay * 1'000'000};
  return info;
}
BackupInfo child_of(const BackupInfo& parent, int suffix,
                    BackupStatus status = BackupStatus::done) {
  std::string id = parent.id.value;
  id.back() = static_cast<char>('0' + suffix);
  return make_incremental(id, parent.id.value, status);
}

std::vector<std::string> words(std::vector<BackupInfo> backups, const RetentionInput& input) {
  std::sort(backups.begin(), backups.end(),
            [](const BackupInfo& a, const BackupInfo& b) { return a.id < b.id; });
  std::vector<std::string> result;
  for (const RetentionVerdict& verdict : apply_retention(backups, input)) {
    EXPECT_FALSE(verdict.reason.empty());
    result.emplace_back(retention_text(verdict.status));
  }
  return result;
}

RetentionInput window(int days, std::uint64_t minimum_redundancy = 0) {
  return {.rule = {.kind = RetentionRule::Kind::recovery_window, .seconds = days * kDay},
          .minimum_redundancy = minimum_redundancy,
          .now = kNow};
}
RetentionInput redundancy(std::uint64_t count, std::uint64_t minimum_redundancy = 0) {
  return {.rule = {.kind = RetentionRule::Kind::redundancy, .count = count},
          .minimum_redundancy = minimum_redundancy,
          .now = kNow};
}

TEST(Retention, RedundancyCountsTheNewestDone) {
  const std::vector<BackupInfo> backups = {aged(5),
                                           aged(4),
                                           aged(3, BackupStatus::failed),
                                           aged(2),
                                           aged(1, BackupStatus::waiting_for_wals),
                                           aged(0, BackupStatus::empty)};
  EXPECT_THAT(words(backups, redundancy(2)),
              testing::ElementsAre("OBSOLETE", "VALID", "-", "VALID", "-"));
  EXPECT_THAT(words(backups, redundancy(1, 3)),
              testing::ElementsAre("VALID", "VALID", "-", "VALID", "-"));
  EXPECT_THAT(words(backups, redundancy(0)),
              testing::ElementsAre("OBSOLETE", "OBSOLETE", "-", "OBSOLETE", "-"));
}

TEST(Retention, KeptBackupsCountForRedundancy) {
  const std::vector<BackupInfo> backups = {aged(4), aged(3), aged(2), aged(1)};
  RetentionInput input = redundancy(2);
  input.annotations.keeps = {{backups[3].id, KeepTarget::standalone},
                             {backups[0].id, KeepTarget::full}};
  EXPECT_THAT(words(backups, input),
              testing::ElementsAre("KEEP:FULL", "OBSOLETE", "VALID", "KEEP:STANDALONE"));
}

// Timeline 2 left timeline 1 at 1000 and is where the cluster is now.
RetentionInput after_recovery(RetentionInput input) {
  input.branches.histories[wal::TimelineId{2}] = {
      .timeline = wal::TimelineId{2}, .ancestors = {{wal::TimelineId{1}, wal::Lsn{1000}, ""}}};
  input.branches.last_segments = {{wal::TimelineId{1}, "000000010000000000000005"},
                                  {wal::TimelineId{2}, "000000020000000000000005"}};
  input.branches.newest_archived = wal::TimelineId{2};
  return input;
}

BackupInfo on(BackupInfo backup, std::uint32_t timeline, std::uint64_t lsn) {
  backup.timeline = wal::TimelineId{timeline};
  backup.begin_xlog = wal::Lsn{lsn};
  backup.end_xlog = wal::Lsn{lsn};
  return backup;
}

TEST(Retention, CountsWhatReachesThePresent) {
  const std::vector<BackupInfo> recovered = {on(aged(4), 1, 500), on(aged(3), 1, 2000)};
  EXPECT_THAT(words(recovered, redundancy(1)), testing::ElementsAre("OBSOLETE", "VALID"));
  // The newest one was abandoned: the older one is the only way to the present.
  EXPECT_THAT(words(recovered, after_recovery(redundancy(1))),
              testing::ElementsAre("VALID", "VALID"));
  EXPECT_THAT(words(recovered, after_recovery(window(2))), testing::ElementsAre("VALID", "VALID"));
  std::vector<BackupInfo> later = recovered;
  later.push_back(on(aged(1), 2, 1500));
  EXPECT_THAT(words(later, after_recovery(redundancy(1))),
              testing::ElementsAre("OBSOLETE", "OBSOLETE", "VALID"));
  EXPECT_THAT(words(later, after_recovery(redundancy(2))),
              testing::ElementsAre("VALID", "VALID", "VALID"));
  // The window began while the abandoned branch was the present.
  EXPECT_THAT(words(later, after_recovery(window(2))),
              testing::ElementsAre("VALID", "VALID", "VALID"));
}

TEST(Retention, WithoutHistoryNothingIsLostByGuessing) {
  RetentionInput input = after_recovery(redundancy(1));
  input.branches.histories.clear();
  EXPECT_THAT(words({on(aged(4), 1, 500), on(aged(3), 1, 2000)}, input),
              testing::ElementsAre("VALID", "VALID"));
  input.branches = {};
  EXPECT_THAT(words({on(aged(4), 1, 500), on(aged(3), 1, 2000)}, input),
              testing::ElementsAre("OBSOLETE", "VALID"));
}

// 02:30 in summer and 02:15 in winter: IDs of a clock without zones.
TEST(Retention, KnowsTheOrderInTheRepeatedHour) {
  BackupInfo summer = on(make_backup("20261025T023000", "", ""), 1, 500);
  summer.begin_time = parse_timestamp("2026-10-25 02:30:00+02:00")->time;
  BackupInfo winter = on(make_backup("20261025T021500", "", ""), 1, 900);
  winter.begin_time = parse_timestamp("2026-10-25 02:15:00+01:00")->time;
  EXPECT_THAT(words({summer, winter}, redundancy(1)), testing::ElementsAre("VALID", "OBSOLETE"));
}

// A day has 25 hours when summer time ends: at 19:10 what was there at 19:10 of the day before is
// still within a window of a day. When it begins, a day of the window has its 24 hours.
TEST(Retention, ADayOfTheWindowIsNoShorterThanThatOfTheClock) {
  const LocalZone zone(kCentralEurope);
  const auto verdicts = [](const std::string& newer_end, const std::string& now) {
    BackupInfo newer = aged(1);
    newer.end_time = parse_timestamp(newer_end)->time;
    BackupInfo older = aged(2);
    older.end_time = Timestamp{.microseconds = newer.end_time->microseconds - 1'000'000};
    RetentionInput input = window(1);
    input.now = parse_timestamp(now)->time;
    return words({older, newer}, input);
  };
  const auto both = testing::ElementsAre("VALID", "VALID");
  const auto newer_only = testing::ElementsAre("OBSOLETE", "VALID");
  EXPECT_THAT(verdicts("2026-10-24 20:00:00", "2026-10-25 19:10:00"), both);
  EXPECT_THAT(verdicts("2026-10-24 20:00:00", "2026-10-25 20:10:00"), newer_only);
  EXPECT_THAT(verdicts("2026-03-28 20:00:00", "2026-03-29 20:30:00"), both);
  EXPECT_THAT(verdicts("2026-03-28 20:00:00", "2026-03-29 21:10:00"), newer_only);
}

// Neither ID nor time tell of a clock that somebody set back; WAL does, and so does a server that
// was put back to an older state.
TEST(Retention, DeletesNothingWhoseAgeIsDoubtful) {
  EXPECT_THAT(words({on(aged(4), 1, 900), on(aged(3), 1, 500)}, redundancy(1)),
              testing::ElementsAre("VALID", "VALID"));
  EXPECT_THAT(words({on(aged(4), 1, 900), on(aged(3), 1, 500), on(aged(2), 1, 950)}, redundancy(1)),
              testing::ElementsAre("OBSOLETE", "OBSOLETE", "VALID"));
}

// What is half deleted or has lost its files must not make a good backup obsolete.
TEST(Retention, ABackupWithADoubtDoesNotCount) {
  const std::vector<BackupInfo> backups = {aged(4), aged(3), aged(2), aged(1)};
  RetentionInput input = redundancy(1);
  input.annotations.being_deleted = {backups[3].id};
  EXPECT_THAT(words(backups, input), testing::ElementsAre("OBSOLETE", "OBSOLETE", "VALID", "-"));
  input.annotations.unreadable = {{backups[2].id, "its directory cannot be read"}};
  EXPECT_THAT(words(backups, input), testing::ElementsAre("OBSOLETE", "VALID", "-", "-"));
  input.annotations.directories = {backups[0].id, backups[2].id};
  EXPECT_THAT(words(backups, input), testing::ElementsAre("VALID", "-", "-", "-"));
  input.annotations.directories = std::set<BackupId>();
  EXPECT_THAT(words(backups, input), testing::ElementsAre("-", "-", "-", "-"));
}

TEST(Retention, AWindowMayBeLongerThanAllTimes) {
  const std::vector<BackupInfo> backups = {aged(4000), aged(1)};
  for (const std::int64_t seconds : {std::int64_t{999'999'999} * 86400, INT64_MAX}) {
    RetentionInput input = window(1);
    input.rule.seconds = seconds;
    EXPECT_THAT(words(backups, input), testing::ElementsAre("VALID", "VALID"));
  }
}

TEST(Retention, TheWindowHasAnAnchor) {
  const std::vector<BackupInfo> backups = {aged(30), aged(20), aged(9), aged(6), aged(1)};
  EXPECT_THAT(words(backups, window(7)),
              testing::ElementsAre("OBSOLETE", "OBSOLETE", "VALID", "VALID", "VALID"));
  EXPECT_THAT(words(backups, window(7, 4)),
              testing::ElementsAre("OBSOLETE", "OBSOLETE*", "VALID", "VALID", "VALID"));
}

// Barman's table 14.3: root and child, with our correction of the standalone anchor.
TEST(Retention, ChildrenFollowTheirRoot) {
  const BackupInfo anchor = aged(8);
  const BackupInfo newer = aged(2);
  const BackupInfo older = aged(20);
  const auto status = [](const BackupInfo& root, std::optional<KeepTarget> keep,
                         std::vector<BackupInfo> others, std::uint64_t minimum) {
    others.push_back(root);
    others.push_back(child_of(root, 1));
    others.push_back(child_of(others.back(), 2));
    RetentionInput input = window(7, minimum);
    if (keep) input.annotations.keeps[root.id] = *keep;
    std::sort(others.begin(), others.end(),
              [](const BackupInfo& a, const BackupInfo& b) { return a.id < b.id; });
    std::vector<std::string> result;
    for (const RetentionVerdict& verdict : apply_retention(others, input)) {
      if (verdict.id.value.starts_with(root.id.value.substr(0, 14))) {
        result.emplace_back(retention_text(verdict.status));
      }
    }
    return result;
  };
  using testing::ElementsAre;
  constexpr auto kKeepFull = KeepTarget::full;
  constexpr auto kStandalone = KeepTarget::standalone;
  EXPECT_THAT(status(anchor, {}, {newer}, 0), ElementsAre("VALID", "VALID", "VALID"));
  EXPECT_THAT(status(anchor, kKeepFull, {newer}, 0), ElementsAre("KEEP:FULL", "VALID", "VALID"));
  EXPECT_THAT(status(anchor, kStandalone, {newer}, 0),
              ElementsAre("KEEP:STANDALONE", "VALID", "VALID"));
  EXPECT_THAT(status(newer, kStandalone, {anchor}, 0),
              ElementsAre("KEEP:STANDALONE", "VALID", "VALID"));
  EXPECT_THAT(status(older, {}, {anchor}, 0), ElementsAre("OBSOLETE", "OBSOLETE", "OBSOLETE"));
  EXPECT_THAT(status(older, kStandalone, {anchor}, 0),
              ElementsAre("KEEP:STANDALONE", "OBSOLETE", "OBSOLETE"));
  EXPECT_THAT(status(older, kKeepFull, {anchor}, 0), ElementsAre("KEEP:FULL", "VALID", "VALID"));
  EXPECT_THAT(status(older, {}, {anchor}, 2), ElementsAre("OBSOLETE*", "OBSOLETE*", "OBSOLETE*"));
}

TEST(Retention, AnIncrementalWithoutRootIsNotJudged) {
  const std::vector<BackupInfo> backups = {aged(5),
                                           make_incremental("20269998T000000", "20260101T000000")};
  EXPECT_THAT(words(backups, redundancy(1)), testing::ElementsAre("VALID", "-"));
}

TEST(Retention, StandaloneWeakensOnlyOutsideThePolicy) {
  const std::vector<BackupInfo> backups = {aged(30), aged(20), aged(9), aged(1)};
  RetentionInput input = window(7);
  input.annotations.keeps = {{backups[0].id, KeepTarget::standalone},
                             {backups[1].id, KeepTarget::full},
                             {backups[2].id, KeepTarget::standalone}};
  EXPECT_THAT(standalone_outside_policy(apply_retention(backups, input)),
              testing::ElementsAre(backups[0].id));
}

TEST(Retention, DeletesLeavesFirstAndWaitsForRunningChildren) {
  const BackupInfo old = aged(30);
  const BackupInfo other = aged(25);
  std::vector<BackupInfo> backups = {old, child_of(old, 1), child_of(old, 2), other, aged(1)};
  backups[2].parent_backup_id = backups[1].id;
  const auto order = [&] {
    return obsolete_in_order(backups, apply_retention(backups, redundancy(1)));
  };
  EXPECT_THAT(order(), testing::ElementsAre(backups[2].id, backups[1].id, old.id, other.id));
  backups[2].status = BackupStatus::started;
  EXPECT_THAT(order(), testing::Not(testing::Contains(old.id)));
  EXPECT_THAT(order(), testing::Not(testing::Contains(backups[1].id)));
  EXPECT_THAT(order(), testing::Contains(other.id));
}

}  // namespace
}  // namespace barman::catalogue
