#include "catalogue/locks.h"

#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file_lock.h"
#include "catalogue/test_support.h"

namespace barman::catalogue {
namespace {

const BackupId kLockedId{"20261101T000000"};

TEST(Locks, HaveBarmansNames) {
  const LockLocation main = {.directory = "/home", .server_name = "main"};
  EXPECT_EQ(config_lock("/home"), "/home/.config-update.lock");
  EXPECT_EQ(backup_lock(main), "/home/.main-backup.lock");
  EXPECT_EQ(backup_id_lock(main, kLockedId), "/home/.main-20261101T000000.lock");
  EXPECT_EQ(cron_lock(main), "/home/.main-cron.lock");
  EXPECT_EQ(archive_wal_lock(main), "/home/.main-archive-wal.lock");
  EXPECT_EQ(receive_wal_lock(main), "/home/.main-receive-wal.lock");
  EXPECT_EQ(wal_index_lock(main), "/home/.main-xlogdb.lock");
  EXPECT_EQ(sync_backup_lock(main, kLockedId), "/home/.main-20261101T000000-sync-backup.lock");
  EXPECT_EQ(sync_wal_lock(main), "/home/.main-sync-wal.lock");
}

TEST(Locks, ListsProcessesOfExactlyOneServer) {
  const TemporaryDirectory directory;
  const LockLocation pg = {.directory = directory.path(), .server_name = "pg"};
  const LockLocation pg_test = {.directory = directory.path(), .server_name = "pg-test"};
  const auto cron = FileLock::try_lock(cron_lock(pg));
  const auto receive = FileLock::try_lock(receive_wal_lock(pg));
  const auto sync = FileLock::try_lock(sync_backup_lock(pg, kLockedId));
  const auto other = FileLock::try_lock(backup_lock(pg_test));
  put_file(archive_wal_lock(pg), "1\n");
  std::vector<std::string> tasks;
  for (const ServerProcess& process : list_processes(pg)) {
    EXPECT_EQ(process.pid, ::getpid());
    tasks.push_back(process.task);
  }
  EXPECT_THAT(tasks, testing::ElementsAre("receive-wal", "sync-backup", "cron"));
  EXPECT_EQ(list_processes(pg_test).size(), 1U);
}

TEST(Locks, CleanUpTakesFreeLocksOfOurNamesOnly) {
  const TemporaryDirectory directory;
  const LockLocation main = {.directory = directory.path(), .server_name = "main"};
  const auto held = FileLock::try_lock(backup_lock(main));
  for (const auto& path :
       {cron_lock(main), backup_id_lock(main, kLockedId), sync_backup_lock(main, kLockedId),
        wal_index_lock(main), config_lock(directory.path()), directory.path() / ".foreign.lock",
        directory.path() / ".backup.lock", directory.path() / "main-cron.lock"}) {
    put_file(path, "1\n");
  }
  EXPECT_EQ(clean_lock_directory(directory.path()), 5U);
  std::set<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    left.insert(entry.path().filename());
  }
  EXPECT_THAT(left, testing::ElementsAre(".backup.lock", ".foreign.lock", ".main-backup.lock",
                                         "main-cron.lock"));
  EXPECT_EQ(clean_lock_directory(directory.path() / "absent"), 0U);
}

}  // namespace
}  // namespace barman::catalogue
