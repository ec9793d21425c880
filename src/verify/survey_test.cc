#include "verify/survey.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue/test_support.h"

namespace barman::verify {
namespace {

using catalogue::BackupStatus;
using catalogue::make_backup;
using catalogue::make_incremental;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Severity = Finding::Severity;

constexpr wal::TimelineId kOne{1};
constexpr wal::TimelineId kTwo{2};
constexpr std::uint64_t kSegment = std::uint64_t{16} << 20;

std::string segment(unsigned timeline, unsigned number) {
  return fmt::format("{:08X}00000000{:08X}", timeline, number);
}

class Surveyed : public testing::Test {
 protected:
  Surveyed() { facts_.server_name = "main"; }

  catalogue::BackupInfo& add(const std::string& id, unsigned begin, unsigned end,
                             unsigned timeline = 1) {
    facts_.backups.push_back(
        {.info = make_backup(id, segment(timeline, begin), segment(timeline, end))});
    return facts_.backups.back().info;
  }
  // Timeline 2 leaves timeline 1 in the middle of this segment.
  void fork_at(unsigned number) {
    facts_.histories[kTwo] = {.timeline = kTwo,
                              .ancestors = {{kOne, {number * kSegment + 100}, "promoted"}}};
  }
  SurveyReport survey() const { return survey_catalogue(facts_); }
  std::vector<Finding> errors() const {
    std::vector<Finding> result;
    for (const Finding& finding : survey().findings) {
      EXPECT_FALSE(finding.object.empty());
      EXPECT_FALSE(finding.reason.empty());
      EXPECT_TRUE(finding.next_step.ends_with('.')) << finding.next_step;
      if (finding.severity == Severity::error) result.push_back(finding);
    }
    return result;
  }

  SurveyFacts facts_;
};

// A restore uses what was received, the unfinished segment too.
TEST_F(Surveyed, WhatWasReceivedLeadsFurther) {
  add("20261121T101112", 1, 2);
  facts_.segments[kOne] = {{.first = 1, .last = 3}};
  facts_.received[kOne][4] = {.file_name = segment(1, 4), .size_bytes = facts_.segment_size.bytes};
  facts_.received[kOne][5] = {
      .file_name = segment(1, 5) + ".partial", .size_bytes = 100, .mtime = 1'800'000'000};
  facts_.received[kOne][6] = {.file_name = segment(1, 6) + ".partial", .size_bytes = 100};
  ASSERT_THAT(survey().windows, SizeIs(1));
  const auto received = survey().windows[0].received;
  ASSERT_TRUE(received);
  EXPECT_EQ(received->last_file, segment(1, 5) + ".partial");
  EXPECT_EQ(received->to_lsn.value, 5 * facts_.segment_size.bytes + 100);
  facts_.received[kOne].erase(4);
  EXPECT_FALSE(survey().windows[0].received) << "a gap";
}

// What came behind it says that it was there.
TEST_F(Surveyed, AHoleBeforeWhatWasReceivedIsOne) {
  add("20261121T101112", 1, 2);
  facts_.segments[kOne] = {{.first = 1, .last = 3}};
  facts_.received[kOne][4] = {.file_name = segment(1, 4), .size_bytes = facts_.segment_size.bytes};
  EXPECT_THAT(errors(), IsEmpty());
  facts_.received[kOne][7] = {.file_name = segment(1, 7) + ".partial", .size_bytes = 100};
  ASSERT_THAT(errors(), SizeIs(1));
  EXPECT_EQ(errors()[0].object, "WAL " + segment(1, 5) + " to " + segment(1, 6));
  EXPECT_THAT(survey().holes, SizeIs(1));
}

TEST_F(Surveyed, SoIsOneAtTheBeginningOfATimelineThatWasReceivedOnly) {
  add("20261121T101112", 1, 2);
  facts_.segments[kOne] = {{.first = 1, .last = 3}};
  fork_at(4);
  facts_.received[kTwo][4] = {.file_name = segment(2, 4) + ".partial", .size_bytes = 100};
  EXPECT_THAT(errors(), IsEmpty());
  facts_.received[kTwo] = {{5, {.file_name = segment(2, 5) + ".partial", .size_bytes = 100}}};
  ASSERT_THAT(errors(), SizeIs(1));
  EXPECT_EQ(errors()[0].object, "WAL " + segment(2, 4));
}

TEST_F(Surveyed, NothingIsNoError) {
  EXPECT_FALSE(survey().has_errors());
  EXPECT_THAT(survey().windows, IsEmpty());
}

TEST_F(Surveyed, OneWindowFromTheFirstBackupToTheLastSegment) {
  add("20260101T000000", 2, 3);
  add("20260102T000000", 5, 5);
  facts_.segments[kOne] = {{1, 9}};
  const SurveyReport report = survey();
  EXPECT_FALSE(report.has_errors());
  ASSERT_THAT(report.windows, SizeIs(1));
  EXPECT_EQ(report.windows[0].first_backup.value, "20260101T000000");
  EXPECT_EQ(report.windows[0].backup_count, 2U);
  EXPECT_EQ(report.windows[0].last_segment, segment(1, 9));
  EXPECT_EQ(report.windows[0].to_lsn.value, 10 * kSegment);
  EXPECT_THAT(report.holes, IsEmpty());
}

TEST_F(Surveyed, AHoleDividesTheWindow) {
  add("20260101T000000", 2, 3);
  add("20260102T000000", 7, 7);
  facts_.segments[kOne] = {{2, 4}, {6, 9}};
  const SurveyReport report = survey();
  ASSERT_THAT(report.windows, SizeIs(2));
  EXPECT_EQ(report.windows[0].last_segment, segment(1, 4));
  EXPECT_EQ(report.windows[1].first_backup.value, "20260102T000000");
  ASSERT_THAT(report.holes, SizeIs(1));
  EXPECT_EQ(report.holes[0].first, segment(1, 5));
  EXPECT_FALSE(report.holes[0].is_expected);
  ASSERT_THAT(errors(), SizeIs(1));
  EXPECT_EQ(errors()[0].object, "WAL " + segment(1, 5));
}

TEST_F(Surveyed, WalAfterAStandaloneBackupMayBeMissing) {
  add("20260101T000000", 2, 3);
  facts_.backups[0].keep = catalogue::KeepTarget::standalone;
  add("20260102T000000", 7, 7);
  facts_.segments[kOne] = {{2, 3}, {7, 9}};
  const SurveyReport report = survey();
  EXPECT_FALSE(report.has_errors());
  ASSERT_THAT(report.holes, SizeIs(1));
  EXPECT_TRUE(report.holes[0].is_expected);
  EXPECT_THAT(report.windows, SizeIs(2));
}

TEST_F(Surveyed, ABackupWithoutItsWalCannotBeRestored) {
  add("20260101T000000", 2, 4);
  facts_.segments[kOne] = {{2, 3}, {5, 9}};
  ASSERT_THAT(errors(), SizeIs(2));
  EXPECT_EQ(errors()[0].object, "backup 20260101T000000");
  EXPECT_THAT(errors()[0].reason, HasSubstr("cannot be restored"));
  EXPECT_THAT(survey().windows, IsEmpty());
}

TEST_F(Surveyed, ABackupMayWaitForItsWal) {
  add("20260101T000000", 2, 10).status = BackupStatus::waiting_for_wals;
  facts_.segments[kOne] = {{2, 9}};
  EXPECT_FALSE(survey().has_errors());
  EXPECT_THAT(survey().findings, SizeIs(1));
}

TEST_F(Surveyed, TheWindowGoesOnAlongTheHistory) {
  add("20260101T000000", 2, 3);
  // Segment 6 of timeline 1 was never completed; that of timeline 2 continues it.
  facts_.segments[kOne] = {{1, 5}};
  facts_.segments[kTwo] = {{6, 8}};
  fork_at(6);
  const SurveyReport report = survey();
  EXPECT_FALSE(report.has_errors());
  ASSERT_THAT(report.windows, SizeIs(1));
  EXPECT_EQ(report.windows[0].timeline, kTwo);
  EXPECT_EQ(report.windows[0].last_segment, segment(2, 8));
}

TEST_F(Surveyed, AnOldTimelineThatWentOnHasAWindowOfItsOwn) {
  add("20260101T000000", 2, 3);
  facts_.segments[kOne] = {{1, 9}};
  facts_.segments[kTwo] = {{6, 8}};
  fork_at(6);
  EXPECT_THAT(survey().windows, SizeIs(2));
}

TEST_F(Surveyed, AHoleBeforeAForkIsReportedOnceAndNamedByItsTimelines) {
  add("20260101T000000", 2, 3);
  facts_.segments[kOne] = {{1, 4}};
  facts_.segments[kTwo] = {{7, 8}};
  fork_at(6);
  const SurveyReport report = survey();
  ASSERT_THAT(report.holes, SizeIs(2));
  EXPECT_EQ(report.holes[0].first, segment(1, 5));
  EXPECT_EQ(report.holes[0].count, 1U);
  EXPECT_EQ(report.holes[1].first, segment(2, 6));
}

TEST_F(Surveyed, ATimelineNeedsItsHistory) {
  add("20260101T000000", 2, 3);
  facts_.segments[kOne] = {{1, 5}};
  facts_.segments[kTwo] = {{6, 8}};
  ASSERT_THAT(errors(), SizeIs(1));
  EXPECT_THAT(errors()[0].reason, HasSubstr("00000002.history"));
}

TEST_F(Surveyed, AnIncrementalNeedsItsParent) {
  facts_.segments[kOne] = {{1, 9}};
  catalogue::BackupInfo child = make_incremental("20260102T000000", "20260101T000000");
  child.begin_wal = child.end_wal = segment(1, 4);
  facts_.backups.push_back({.info = child});
  ASSERT_THAT(errors(), SizeIs(1));
  EXPECT_THAT(errors()[0].reason, HasSubstr("parent 20260101T000000 is missing"));
}

TEST_F(Surveyed, AWindowBeginsAtABackupThatCanBeRestored) {
  add("20260101T000000", 2, 3);
  facts_.backups[0].damage = {
      {Severity::error, "backup 20260101T000000", "\"PG_VERSION\" is missing", "y."}};
  catalogue::BackupInfo child = make_incremental("20260102T000000", "20260101T000000");
  child.begin_wal = child.end_wal = segment(1, 4);
  facts_.backups.push_back({.info = child});
  add("20260103T000000", 6, 6);
  facts_.segments[kOne] = {{1, 9}};
  ASSERT_THAT(survey().windows, SizeIs(1));
  EXPECT_EQ(survey().windows[0].first_backup.value, "20260103T000000");
  EXPECT_EQ(survey().windows[0].backup_count, 1U);
  ASSERT_THAT(errors(), SizeIs(2));
  EXPECT_THAT(errors()[1].reason, HasSubstr("its parent 20260101T000000 is damaged"));
  facts_.backups.pop_back();
  EXPECT_THAT(survey().windows, IsEmpty());
}

TEST_F(Surveyed, AChainIsFollowedToItsRoot) {
  catalogue::BackupInfo middle = make_incremental("20260102T000000", "20260101T000000");
  catalogue::BackupInfo last = make_incremental("20260103T000000", "20260102T000000");
  facts_.segments[kOne] = {{1, 9}};
  add("20260101T000000", 2, 2).status = BackupStatus::failed;
  for (catalogue::BackupInfo* info : {&middle, &last}) {
    info->begin_wal = info->end_wal = segment(1, 4);
    facts_.backups.push_back({.info = *info});
  }
  EXPECT_THAT(survey().windows, IsEmpty());
  ASSERT_THAT(errors(), SizeIs(2));
  EXPECT_THAT(errors()[1].reason, HasSubstr("its ancestor 20260101T000000 is FAILED"));
  // A ring, which only a damaged file can make.
  facts_.backups.erase(facts_.backups.begin());
  facts_.backups[0].info.parent_backup_id = facts_.backups[1].info.id;
  EXPECT_THAT(errors(), SizeIs(2));
}

TEST_F(Surveyed, TheWindowDoesNotEndBeforeItsBackup) {
  catalogue::BackupInfo& info = add("20260101T000000", 2, 3);
  constexpr double kEnd = 1'767'300'000;
  info.end_time = from_epoch_seconds(kEnd);
  facts_.segments[kOne] = {{2, 3, kEnd - 60}};
  ASSERT_THAT(survey().windows, SizeIs(1));
  EXPECT_EQ(survey().windows[0].to_time, *info.end_time);
  facts_.segments[kOne] = {{2, 4, kEnd + 60}};
  EXPECT_GT(survey().windows[0].to_time, *info.end_time);
}

TEST_F(Surveyed, FailedAndUnfinishedBackupsAreNotices) {
  add("20260101T000000", 2, 3).status = BackupStatus::failed;
  add("20260102T000000", 2, 3).status = BackupStatus::started;
  facts_.broken = {{.id = {"20260103T000000"}, .path = "/x", .reason = "cannot parse"}};
  EXPECT_THAT(errors(), SizeIs(1));
  EXPECT_THAT(survey().findings, SizeIs(3));
  EXPECT_EQ(survey().findings[0].severity, Severity::error);
}

TEST_F(Surveyed, BackupsThatAnotherProgramHasDeletedAreNotices) {
  facts_.gone = {catalogue::make_backup("20260101T000000", segment(1, 2), segment(1, 3))};
  ASSERT_THAT(survey().findings, SizeIs(1));
  EXPECT_EQ(survey().findings[0].severity, Severity::notice);
  EXPECT_THAT(survey().findings[0].reason, HasSubstr("removed by another program"));
  EXPECT_THAT(survey().findings[0].next_step, HasSubstr("delete"));
}

TEST_F(Surveyed, FilesWithoutMetadataAreAnError) {
  facts_.nameless = {"/c/main/base/20260101T000000"};
  ASSERT_THAT(errors(), SizeIs(1));
  EXPECT_THAT(errors()[0].object, HasSubstr("20260101T000000"));
  EXPECT_THAT(errors()[0].next_step, HasSubstr("meta/20260101T000000-backup.info"));
}

TEST_F(Surveyed, MinimalWalEndsAWindow) {
  add("20260101T000000", 2, 2).end_xlog = wal::Lsn{3 * kSegment};
  add("20260102T000000", 6, 6).end_xlog = wal::Lsn{7 * kSegment};
  facts_.segments[kOne] = {{2, 8}};
  ASSERT_THAT(survey().windows, SizeIs(1));
  facts_.minimal_wal = {{segment(1, 4), {4 * kSegment + 100}, {4 * kSegment + 40}}};
  ASSERT_THAT(survey().windows, SizeIs(2));
  EXPECT_EQ(survey().windows[0].last_segment, segment(1, 4));
  EXPECT_EQ(survey().windows[1].first_backup.value, "20260102T000000");
  EXPECT_THAT(survey().holes, IsEmpty());
  ASSERT_THAT(errors(), SizeIs(1));
  EXPECT_THAT(errors()[0].reason, HasSubstr("recovery from backup 20260101T000000 and earlier"));
  // All backups came later, or need nothing of it.
  facts_.backups[0].keep = catalogue::KeepTarget::standalone;
  EXPECT_THAT(errors(), IsEmpty());
  facts_.backups.erase(facts_.backups.begin());
  EXPECT_THAT(errors(), IsEmpty());
}

TEST_F(Surveyed, ALabelNamesWhatABackupBuildsOn) {
  const auto label = [](const std::string& more) {
    return "START WAL LOCATION: 0/4000028 (file 000000010000000000000004)\n"
           "CHECKPOINT LOCATION: 0/4000060\nBACKUP METHOD: streamed\nBACKUP FROM: primary\n"
           "START TIME: 2026-01-02 00:00:00 UTC\nLABEL: x\nSTART TIMELINE: 1\n" +
           more;
  };
  const std::string incremental = "INCREMENTAL FROM LSN: 0/2000028\nINCREMENTAL FROM TLI: 1\n";
  facts_.segments[kOne] = {{1, 9}};
  add("20260101T000000", 2, 2).begin_xlog = wal::Lsn{0x2000028};
  catalogue::BackupInfo& child = add("20260102T000000", 4, 4);
  child.backup_label = label("");
  EXPECT_THAT(errors(), IsEmpty());
  child.backup_label = label(incremental);
  ASSERT_THAT(errors(), SizeIs(1));
  EXPECT_THAT(errors()[0].reason, HasSubstr("its metadata names no parent"));
  child.parent_backup_id = catalogue::BackupId{"20260101T000000"};
  EXPECT_THAT(errors(), IsEmpty());
  facts_.backups[0].info.begin_xlog = wal::Lsn{0x2000060};
  ASSERT_THAT(errors(), SizeIs(1));
  EXPECT_THAT(errors()[0].reason, HasSubstr("begins at 0/2000060"));
  EXPECT_THAT(survey().windows, SizeIs(1));
}

TEST_F(Surveyed, MissingDirectoriesAreNoEmptyCatalogue) {
  facts_.missing_directories = {"/var/lib/barman/main"};
  ASSERT_THAT(errors(), SizeIs(1));
  EXPECT_THAT(errors()[0].object, HasSubstr("/var/lib/barman/main"));
}

TEST_F(Surveyed, WhatNobodyLookedAtIsNamed) {
  EXPECT_THAT(survey().not_looked_at, IsEmpty());
  add("20260101T000000", 2, 3);
  add("20260102T000000", 2, 3);
  facts_.segments[kOne] = {{2, 3}};
  facts_.wal_count = 2;
  facts_.backups[0].not_looked_at = facts_.backups[1].not_looked_at = "archives were not read";
  ASSERT_THAT(survey().not_looked_at, SizeIs(2));
  EXPECT_EQ(survey().not_looked_at[0], "2 backups: archives were not read");
  facts_.backups[1].not_looked_at.clear();
  EXPECT_EQ(survey().not_looked_at[0], "backup 20260101T000000: archives were not read");
}

TEST_F(Surveyed, DamageIsHandedOn) {
  add("20260101T000000", 2, 3);
  facts_.segments[kOne] = {{2, 3}};
  facts_.backups[0].damage = {{Severity::error, "backup 20260101T000000", "x", "y."}};
  facts_.wal_damage = {{Severity::error, "WAL file 1", "x", "y."}};
  EXPECT_THAT(errors(), SizeIs(2));
}

}  // namespace
}  // namespace barman::verify
