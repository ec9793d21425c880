#include "wal_transfer/backup_wals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file_lock.h"
#include "catalogue/locks.h"
#include "wal_archive/archive_wal.h"
#include "wal_archive/remove_wals.h"
#include "wal_transfer/test_support.h"

namespace barman::wal_transfer {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const catalogue::BackupId kId = {"20261121T014237"};

catalogue::BackupInfo make_backup(unsigned begin, unsigned end) {
  catalogue::BackupInfo info;
  info.id = kId;
  info.status = catalogue::BackupStatus::waiting_for_wals;
  info.mode = "postgres";
  info.begin_wal = wal_name(begin);
  info.end_wal = wal_name(end);
  info.timeline = wal::TimelineId{1};
  return info;
}

void archive_wals(const TestServer& test, const std::vector<unsigned>& numbers) {
  for (const unsigned number : numbers) put_wal_file(test.incoming(wal_name(number)), "x");
  RecordedMessages messages;
  wal_archive::archive_pending_wal(test.make(), {}, messages);
}

TEST(BackupWals, StatusFollowsTheArchive) {
  TestServer test;
  const server::Server server = test.make();
  server.catalogue().save(make_backup(2, 3));
  RecordedMessages messages;
  archive_wals(test, {1, 2});
  EXPECT_EQ(check_backup_wals(server, kId, messages), BackupWals::waiting);
  archive_wals(test, {3});
  EXPECT_EQ(check_backup_wals(server, kId, messages), BackupWals::done);
  EXPECT_EQ(server.catalogue().load_backup(kId).status, catalogue::BackupStatus::done);
  EXPECT_THAT(messages.lines, IsEmpty());
  std::filesystem::remove(test.archived(wal_name(2)));
  EXPECT_EQ(check_backup_wals(server, kId, messages), BackupWals::failed);
  EXPECT_THAT(
      messages.lines,
      ElementsAre("ERROR: This backup has been marked as FAILED due to the following "
                  "reason: At least one WAL file is missing. The first missing WAL file is " +
                  wal_name(2) +
                  "\nHINT: Take another one: barman backup main. When the WAL comes after all, "
                  "check-backup takes it back."));
  EXPECT_THROW(check_backup_wals(server, kId, messages), Error);
}

// What lies under its name is none of it.
TEST(BackupWals, AnEmptyFileAndADirectoryAreMissing) {
  for (const bool is_directory : {false, true}) {
    TestServer test;
    const server::Server server = test.make();
    server.catalogue().save(make_backup(1, 2));
    archive_wals(test, {1, 2, 3});
    const std::filesystem::path place = test.archived(wal_name(2));
    std::filesystem::remove(place);
    if (is_directory) {
      std::filesystem::create_directory(place);
    } else {
      put_file(place, "");
    }
    RecordedMessages messages;
    EXPECT_NE(check_backup_wals(server, kId, messages), BackupWals::done) << is_directory;
  }
}

TEST(BackupWals, OutOfOrderIsNoFailure) {
  TestServer test;
  const server::Server server = test.make();
  server.catalogue().save(make_backup(2, 4));
  catalogue::BackupInfo later = make_backup(4, 4);
  later.id = {"20261122T000000"};
  server.catalogue().save(later);
  RecordedMessages messages;
  archive_wals(test, {1, 2, 4});
  EXPECT_EQ(check_backup_wals(server, kId, messages), BackupWals::waiting);
  // One that waits does not keep the others waiting.
  EXPECT_EQ(choose_for_wal_check(server, server.catalogue().list_backups()), later.id);
  EXPECT_EQ(check_backup_wals(server, later.id, messages), BackupWals::done);
  EXPECT_EQ(choose_for_wal_check(server, server.catalogue().list_backups()), kId);
  archive_wals(test, {3});
  EXPECT_EQ(check_backup_wals(server, kId, messages), BackupWals::done);
  EXPECT_EQ(choose_for_wal_check(server, server.catalogue().list_backups()), std::nullopt);
  EXPECT_THAT(messages.lines, IsEmpty());
}

TEST(BackupWals, WalThatComesLateTakesTheFailureBack) {
  TestServer test;
  const server::Server server = test.make();
  catalogue::BackupInfo failed = make_backup(1, 2);
  failed.status = catalogue::BackupStatus::failed;
  failed.error = "At least one WAL file is missing. The first missing WAL file is " + wal_name(2);
  server.catalogue().save(failed);
  archive_wals(test, {1, 3});
  RecordedMessages messages;
  EXPECT_EQ(choose_for_wal_check(server, server.catalogue().list_backups()), std::nullopt);
  EXPECT_THROW(check_backup_wals(server, kId, messages), Error);
  archive_wals(test, {2});
  EXPECT_EQ(choose_for_wal_check(server, server.catalogue().list_backups()), kId);
  EXPECT_EQ(check_backup_wals(server, kId, messages), BackupWals::done);
  EXPECT_EQ(server.catalogue().load_backup(kId).error, std::nullopt);
}

TEST(BackupWals, BusyBackupIsLeftAlone) {
  TestServer test;
  const server::Server server = test.make();
  server.catalogue().save(make_backup(1, 1));
  const auto lock = FileLock::try_lock(catalogue::backup_id_lock(server.locks(), kId));
  RecordedMessages messages;
  EXPECT_EQ(check_backup_wals(server, kId, messages), BackupWals::busy);
  EXPECT_THAT(messages.lines, ElementsAre("Another process is holding the lock for backup "
                                          "20261121T014237 of server main."));
}

TEST(BackupWals, FirstBackupPurgesOlderWal) {
  TestServer test;
  const server::Server server = test.make();
  archive_wals(test, {1, 2, 3});
  server.catalogue().save(make_backup(3, 3));
  RecordedMessages messages;
  remove_wals_before_first_backup(server, make_backup(3, 3), messages);
  EXPECT_THAT(messages.lines,
              ElementsAre("This is the first backup for server main",
                          "WAL segments preceding the current backup have been found:",
                          "\t" + wal_name(1) + " from server main has been removed",
                          "\t" + wal_name(2) + " from server main has been removed"));
  EXPECT_THAT(test.indexed(), ElementsAre(wal_name(3)));
  EXPECT_FALSE(std::filesystem::exists(test.archived(wal_name(2))));
}

// It may be the older one, which needs what is there.
TEST(BackupWals, ABackupThatCannotBeReadKeepsOlderWal) {
  TestServer test;
  const server::Server server = test.make();
  archive_wals(test, {1, 2, 3});
  put_file(server.locations().meta_directory / "20261101T000000-backup.info", "begin_wal=");
  server.catalogue().save(make_backup(3, 3));
  RecordedMessages messages;
  remove_wals_before_first_backup(server, make_backup(3, 3), messages);
  EXPECT_THAT(messages.lines, ElementsAre(testing::AllOf(testing::HasSubstr("no WAL is removed"),
                                                         testing::HasSubstr("20261101T000000"))));
  EXPECT_THAT(test.indexed(), ElementsAre(wal_name(1), wal_name(2), wal_name(3)));
}

TEST(BackupWals, FilesOfABackupWithoutMetadataKeepOlderWal) {
  TestServer test;
  const server::Server server = test.make();
  archive_wals(test, {1, 2, 3});
  const std::filesystem::path lost = server.catalogue().base_directory({"20261101T000000"});
  std::filesystem::create_directories(lost);
  put_file(lost / "data", "x");
  server.catalogue().save(make_backup(3, 3));
  RecordedMessages messages;
  remove_wals_before_first_backup(server, make_backup(3, 3), messages);
  EXPECT_THAT(messages.lines, ElementsAre(testing::AllOf(testing::HasSubstr("no WAL is removed"),
                                                         testing::HasSubstr("it is lost"))));
  remove_late_wals_before_first_backup(server, make_backup(3, 3));
  EXPECT_THAT(test.indexed(), ElementsAre(wal_name(1), wal_name(2), wal_name(3)));
  std::filesystem::remove_all(lost);
  remove_late_wals_before_first_backup(server, make_backup(3, 3));
  EXPECT_THAT(test.indexed(), ElementsAre(wal_name(3)));
}

// The segment that the start of the first backup has closed is archived after the first look.
TEST(BackupWals, WhatComesLateGoesWhenTheBackupIsDone) {
  TestServer test;
  const server::Server server = test.make();
  server.catalogue().save(make_backup(3, 4));
  archive_wals(test, {2, 3});
  RecordedMessages messages;
  EXPECT_EQ(check_backup_wals(server, kId, messages), BackupWals::waiting);
  EXPECT_THAT(test.indexed(), ElementsAre(wal_name(2), wal_name(3)));
  archive_wals(test, {4});
  EXPECT_EQ(check_backup_wals(server, kId, messages), BackupWals::done);
  EXPECT_THAT(test.indexed(), ElementsAre(wal_name(3), wal_name(4)));
  EXPECT_THAT(messages.lines, IsEmpty());
  // Only before the first one, and never with worm_mode.
  archive_wals(test, {1});
  catalogue::BackupInfo second = make_backup(4, 4);
  second.id = {"20261122T000000"};
  server.catalogue().save(second);
  EXPECT_EQ(check_backup_wals(server, second.id, messages), BackupWals::done);
  test.config.worm_mode = true;
  remove_late_wals_before_first_backup(test.make(), server.catalogue().load_backup(kId));
  EXPECT_THAT(test.indexed(), testing::UnorderedElementsAre(wal_name(1), wal_name(3), wal_name(4)));
}

TEST(BackupWals, WormModePurgesNothing) {
  TestServer test;
  test.config.worm_mode = true;
  archive_wals(test, {1, 2});
  RecordedMessages messages;
  remove_wals_before_first_backup(test.make(), make_backup(2, 2), messages);
  EXPECT_THAT(messages.lines,
              ElementsAre("This is the first backup for server main",
                          "'worm_mode' is enabled, skip purging of unused WAL files."));
  EXPECT_THAT(test.indexed(), ElementsAre(wal_name(1), wal_name(2)));
}

TEST(RemoveWals, HooksRunAroundAndOutsideTheLock) {
  TestServer test;
  archive_wals(test, {1, 2});
  const std::string output = (test.home.path() / "hooks").string();
  const std::string lock = catalogue::wal_index_lock(test.make().locks()).string();
  const std::string script =
      "echo $BARMAN_PHASE $BARMAN_SEGMENT $(flock -n " + lock + " echo free) >> " + output;
  test.config.pre_wal_delete_script = script;
  test.config.post_wal_delete_script = script;
  const wal_archive::WalRemovalPlan plan = {.is_removing = true, .first_needed = wal_name(2)};
  EXPECT_THAT(wal_archive::remove_wals(test.make(), plan).names, ElementsAre(wal_name(1)));
  EXPECT_EQ(get_file(output), "pre " + wal_name(1) + " free\npost " + wal_name(1) + " free\n");
}

TEST(RemoveWals, AbortingHookKeepsEverything) {
  TestServer test;
  archive_wals(test, {1, 2});
  test.config.pre_wal_delete_retry_script = "exit 63";
  const wal_archive::WalRemovalPlan plan = {.is_removing = true, .first_needed = wal_name(2)};
  EXPECT_THROW(wal_archive::remove_wals(test.make(), plan), Error);
  EXPECT_THAT(test.indexed(), ElementsAre(wal_name(1), wal_name(2)));
  EXPECT_TRUE(std::filesystem::exists(test.archived(wal_name(1))));
}

}  // namespace
}  // namespace barman::wal_transfer
