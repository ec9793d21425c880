#include "wal_archive/wal_check.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue/test_support.h"
#include "wal/wal_file_name.h"
#include "wal_archive/test_support.h"
#include "wal_archive/wal_archive.h"
#include "wal_archive/wal_index.h"

namespace barman::wal_archive {
namespace {

using Outcome = WalCheckResult::Outcome;

ArchiveLookup archive_of(const std::set<std::string>& names) {
  return {.last_segment =
              [names](wal::TimelineId timeline) {
                std::optional<std::string> last;
                for (const std::string& name : names) {
                  if (name.starts_with(wal::format_timeline(timeline))) last = name;
                }
                return last;
              },
          .is_archived = [names](const std::string& name) { return names.contains(name); }};
}

catalogue::BackupInfo waiting(unsigned begin, unsigned end) {
  return catalogue::make_backup("20261101T000000", segment(begin), segment(end),
                                catalogue::BackupStatus::waiting_for_wals);
}

TEST(WalCheck, FollowsTheTable) {
  const catalogue::BackupInfo backup = waiting(3, 5);
  EXPECT_EQ(check_backup_wal(backup, archive_of({})).outcome, Outcome::waiting);
  EXPECT_EQ(check_backup_wal(backup, archive_of({segment(2)})).outcome, Outcome::waiting);
  EXPECT_EQ(check_backup_wal(backup, archive_of({segment(9, 2)})).outcome, Outcome::waiting);
  EXPECT_EQ(check_backup_wal(backup, archive_of({segment(3), segment(4)})).outcome,
            Outcome::waiting);
  EXPECT_EQ(check_backup_wal(backup, archive_of({segment(3), segment(4), segment(5)})).outcome,
            Outcome::done);
  const WalCheckResult missing =
      check_backup_wal(backup, archive_of({segment(3), segment(5), segment(6)}));
  EXPECT_EQ(missing.outcome, Outcome::failed);
  EXPECT_EQ(missing.reason,
            "At least one WAL file is missing. The first missing WAL file is "
            "000000010000000000000004");
  const WalCheckResult missing_before_end =
      check_backup_wal(backup, archive_of({segment(2), segment(4)}));
  EXPECT_EQ(missing_before_end.outcome, Outcome::failed);
}

TEST(WalCheck, WaitsForAGapThatCanBeFilled) {
  catalogue::BackupInfo backup = waiting(3, 5);
  ArchiveLookup archive = archive_of({segment(3), segment(5), segment(6)});
  archive.can_arrive = [](const std::string& name) { return name == segment(4); };
  EXPECT_EQ(check_backup_wal(backup, archive).outcome, Outcome::waiting);
  // It was there.
  backup.status = catalogue::BackupStatus::done;
  EXPECT_EQ(check_backup_wal(backup, archive).outcome, Outcome::failed);
}

TEST(WalCheck, TakesBackWhatWasSaidOfMissingWal) {
  catalogue::BackupInfo backup = waiting(3, 5);
  const ArchiveLookup gap = archive_of({segment(3), segment(5)});
  apply_wal_check(check_backup_wal(backup, gap), backup);
  EXPECT_EQ(backup.status, catalogue::BackupStatus::failed);
  EXPECT_TRUE(has_failed_for_wal(backup));
  EXPECT_THROW(check_backup_wal(backup, gap), Error);
  const ArchiveLookup all = archive_of({segment(3), segment(4), segment(5)});
  catalogue::BackupInfo other = backup;
  apply_wal_check(check_backup_wal(backup, all), backup);
  EXPECT_EQ(backup.status, catalogue::BackupStatus::done);
  EXPECT_EQ(backup.error, std::nullopt);
  // Nothing else is forgiven.
  other.error = "failure copying files (gone)";
  EXPECT_FALSE(has_failed_for_wal(other));
  EXPECT_THROW(check_backup_wal(other, all), Error);
}

TEST(WalCheck, ARunningBackupIsLeftAlone) {
  catalogue::BackupInfo backup =
      catalogue::make_backup("20261101T000000", segment(3), "", catalogue::BackupStatus::started);
  const WalCheckResult result = check_backup_wal(backup, archive_of({segment(3)}));
  EXPECT_EQ(result.outcome, Outcome::unchanged);
  apply_wal_check(result, backup);
  EXPECT_EQ(backup.status, catalogue::BackupStatus::started);
}

TEST(WalCheck, TwoTimelinesFail) {
  catalogue::BackupInfo backup = catalogue::make_backup(
      "20261101T000000", segment(3), segment(4, 2), catalogue::BackupStatus::waiting_for_wals);
  apply_wal_check(check_backup_wal(backup, archive_of({})), backup);
  EXPECT_EQ(backup.status, catalogue::BackupStatus::failed);
  EXPECT_EQ(backup.error,
            "Backups spanning multiple timelines are not supported. The backup starts in timeline "
            "00000001 and ends in timeline 00000002.");
  try {
    check_backup_wal(backup, archive_of({}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "The validity of a failed backup cannot be checked");
  }
}

TEST(WalCheck, ADoneBackupMayFallBack) {
  catalogue::BackupInfo backup = waiting(3, 5);
  backup.status = catalogue::BackupStatus::done;
  apply_wal_check(check_backup_wal(backup, archive_of({segment(3)})), backup);
  EXPECT_EQ(backup.status, catalogue::BackupStatus::waiting_for_wals);
}

TEST(WalCheck, CountsSegmentsByTheBackupsOwnSize) {
  catalogue::BackupInfo backup = catalogue::make_backup(
      "20261101T000000", "0000000100000000000000FF", "000000010000000100000000");
  EXPECT_THAT(required_segments(backup),
              testing::ElementsAre("0000000100000000000000FF", "000000010000000100000000"));
  backup.xlog_segment_size = {std::uint64_t{1} << 30};
  EXPECT_THROW(required_segments(backup), Error);
  backup.begin_wal = "000000010000000000000003";
  EXPECT_THAT(required_segments(backup),
              testing::ElementsAre("000000010000000000000003", "000000010000000100000000"));
}

TEST(WalCheck, FindsTheLastArchivedSegmentOnDisk) {
  const TemporaryDirectory directory;
  const auto& wals = directory.path();
  EXPECT_EQ(find_last_archived_segment(wals / "absent", {1}), std::nullopt);
  for (const char* name :
       {"000000010000000000000001", "0000000100000000000000FE", "00000001000000010000000A.partial",
        "000000010000000100000009.00000028.backup", "000000020000000000000007"}) {
    put_file(archived_wal_path(wals, name), "x");
  }
  std::filesystem::create_directories(wals / "0000000100000007");
  // As long as the name of a hash directory, and right after a failover all there is of timeline 3.
  put_file(wals / "00000003.history", "1\t0/3000158\tno recovery target specified\n");
  put_file(wals / "0000000400000000", "a file where a directory is expected");
  EXPECT_EQ(find_last_archived_segment(wals, {1}), "0000000100000000000000FE");
  EXPECT_EQ(find_last_archived_segment(wals, {2}), "000000020000000000000007");
  EXPECT_EQ(find_last_archived_segment(wals, {3}), std::nullopt);
  EXPECT_EQ(find_last_archived_segment(wals, {4}), std::nullopt);
  catalogue::CatalogueLocations locations;
  locations.wals_directory = wals;
  const ArchiveLookup archive = WalArchive(locations, {}).lookup();
  EXPECT_TRUE(archive.is_archived("000000010000000000000001"));
  EXPECT_FALSE(archive.is_archived("000000010000000000000002"));
  EXPECT_EQ(check_backup_wal(waiting(1, 1), archive).outcome, Outcome::done);
}

}  // namespace
}  // namespace barman::wal_archive
