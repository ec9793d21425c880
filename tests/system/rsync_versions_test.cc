// backup_method = rsync with each version of PostgreSQL, under load, and exclusive backups of those
// that have them: restored backups are started, and have the rows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "support/catalogue_files.h"
#include "support/rsync_site.h"
#include "support/writer.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;

class RsyncBackupOf : public testing::TestWithParam<int> {};

TEST_P(RsyncBackupOf, IsTakenUnderLoadAndRestoredToAMoment) {
  if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  const int major = GetParam();
  RsyncSite site(major, {{"reuse_backup", "link"}, {"parallel_jobs", "2"}});
  std::optional<Writer> writer(std::in_place, site.postgres);
  writer->wait_for_commits(20);
  const CommandResult first = site.barman.run({"backup", "--wait", "main"});
  ASSERT_EQ(first.exit_code, 0) << first.out << first.err;
  EXPECT_EQ(first.err, "");
  const std::string one = site.newest();
  EXPECT_THAT(
      first.out,
      AllOf(HasSubstr("Starting backup using rsync-concurrent method for server main in "),
            HasSubstr("Starting backup copy via rsync/SSH for " + one + " (2 jobs)\n"),
            HasSubstr("Asking PostgreSQL server to finalize the backup.\n"),
            HasSubstr("Actual size on disk: "), HasSubstr("Backup completed (start time: ")));
  EXPECT_EQ(site.status_of(one), "DONE");
  const CommandResult unknown = site.barman.run({"verify-backup", "main", one});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("Try 'barman generate-manifest main " + one + "'"));

  const Commit target = writer->wait_for_commits(20);
  writer->wait_for_commits(20);
  site.postgres.query("UPDATE changing SET text = 'new' WHERE id % 100 = 0");
  const CommandResult second = site.barman.run({"backup", "--wait", "--manifest", "main"});
  ASSERT_EQ(second.exit_code, 0) << second.out << second.err;
  const std::string two = site.newest();
  ASSERT_NE(one, two);
  const std::vector<Commit> commits = writer->stop();
  writer.reset();
  site.archive_a_segment();
  {
    const CopiedRestore restored(site, one,
                                 {"--target-time", target.time, "--target-action", "promote"});
    ASSERT_EQ(restored.result.exit_code, 0) << restored.result.out << restored.result.err;
    PostgresServer copy({.major = major, .data_directory = restored.data});
    copy.wait_until_primary();
    EXPECT_EQ(written_ids(copy), ids_until(commits, target.id));
    EXPECT_EQ(sorted_rows(copy, "there"), sorted_rows(site.postgres, "there"));
  }
  // The second one shares what has not changed.
  const auto is_shared = [&](const std::string& path) { return site.is_shared(one, two, path); };
  EXPECT_TRUE(is_shared(site.file_of("still")));
  EXPECT_TRUE(is_shared(site.file_of("there")));
  EXPECT_FALSE(is_shared(site.file_of("changing")));
  EXPECT_FALSE(is_shared(site.file_of("writes")));
  for (const char* name : {"backup_label", "global/pg_control"}) {
    EXPECT_FALSE(is_shared("data/" + std::string(name))) << name;
  }
  EXPECT_TRUE(fs::is_empty(site.base(two) / "data/pg_wal"));
  EXPECT_TRUE(fs::is_empty(site.base(one) / "data/pg_tblspc"));
  EXPECT_FALSE(fs::exists(site.base(two) / "data/postmaster.pid"));
  const CommandResult verified = site.barman.run({"verify-backup", "main", two});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  EXPECT_EQ(verified_by_postgres(site.base(two) / "data", "backup_manifest"), "");
  // Each stands alone.
  const CommandResult deleted = site.barman.run({"delete", "main", one});
  ASSERT_EQ(deleted.exit_code, 0) << deleted.out << deleted.err;
  site.expect_restored_rows(two);
}

INSTANTIATE_TEST_SUITE_P(Postgres, RsyncBackupOf, testing::Values(17, 13));

class RsyncBackupOfEach : public testing::TestWithParam<int> {};

TEST_P(RsyncBackupOfEach, IsTakenUnderLoadAndRestoredOntoAnotherHost) {
  if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  RsyncSite site(GetParam());
  Writer writer(site.postgres);
  writer.wait_for_commits(20);
  const CommandResult backup = site.barman.run({"backup", "--wait", "main"});
  ASSERT_EQ(backup.exit_code, 0) << backup.out << backup.err;
  EXPECT_EQ(backup.err, "");
  EXPECT_EQ(site.status_of(site.newest()), "DONE");
  const Commit target = writer.wait_for_commits(20);
  writer.wait_for_commits(20);
  const std::vector<Commit> commits = writer.stop();
  site.archive_a_segment();
  const CopiedRestore restored(site, site.newest(),
                               {"--remote-ssh-command", site.ssh.shell(), "--target-time",
                                target.time, "--target-action", "promote"});
  ASSERT_EQ(restored.result.exit_code, 0) << restored.result.out << restored.result.err;
  PostgresServer copy({.major = GetParam(), .data_directory = restored.data});
  copy.wait_until_primary();
  EXPECT_EQ(written_ids(copy), ids_until(commits, target.id));
  for (const char* table : {"there", "still", "changing"}) {
    EXPECT_EQ(sorted_rows(copy, table), sorted_rows(site.postgres, table)) << table;
  }
}

INSTANTIATE_TEST_SUITE_P(Postgres, RsyncBackupOfEach, testing::Range(13, 19));

void expect_exclusive_backup(RsyncSite& site) {
  const CommandResult check = site.barman.run({"check", "main"});
  EXPECT_THAT(check.out, AllOf(HasSubstr("\tnot in recovery: OK\n"),
                               HasSubstr("\texclusive backup supported: OK\n")));
  const CommandResult backup = site.barman.run({"backup", "--wait", "--no-retry", "main"});
  ASSERT_EQ(backup.exit_code, 0) << backup.out << backup.err;
  EXPECT_THAT(backup.out,
              HasSubstr("Starting backup using rsync-exclusive method for server main in "));
  const std::string id = site.newest();
  EXPECT_EQ(site.status_of(id), "DONE");
  EXPECT_FALSE(fs::exists(site.base(id) / "data/tablespace_map"));
  site.expect_restored_rows(id);
}

TEST(ExclusiveRsyncBackup, OfPostgres13IsTakenAndRestored) {
  if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  RsyncSite site(13, {{"backup_options", "exclusive_backup"}});
  site.postgres.query("ALTER ROLE barman SUPERUSER");
  expect_exclusive_backup(site);
}

// Until PostgreSQL 14.
TEST(ExclusiveRsyncBackup, IsTakenAndRestoredAndEndsWithItsFailure) {
  if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  RsyncSite site(14, {{"backup_options", "exclusive_backup"}});
  site.postgres.query("ALTER ROLE barman SUPERUSER");
  expect_exclusive_backup(site);
  // One that fails ends it on the server, too: the next one can begin.
  const fs::path unreadable = site.postgres.data_directory() / "base/unreadable";
  write_text(unreadable, "x");
  fs::permissions(unreadable, fs::perms::none);
  const CommandResult failed = site.barman.run({"backup", "main"});
  EXPECT_EQ(failed.exit_code, 1) << failed.out;
  EXPECT_EQ(site.postgres.value("SELECT pg_is_in_backup()"), "f");
  fs::remove(unreadable);
  // That of somebody else goes on; one of ours, whose process was killed, does not.
  site.postgres.query("SELECT pg_start_backup('another tool', true)");
  EXPECT_THAT(site.barman.run({"backup", "main"}).err,
              HasSubstr("a backup is already in progress"));
  EXPECT_EQ(site.postgres.value("SELECT pg_is_in_backup()"), "t");
  site.postgres.query("SELECT pg_stop_backup(true, false)");
  const std::string killed = site.barman.backup_ids("main").back();
  ASSERT_EQ(site.status_of(killed), "FAILED");
  site.postgres.query("SELECT pg_start_backup('Barman backup main " + killed + "', true)");
  EXPECT_THAT(site.barman.run({"check", "main"}).out,
              HasSubstr("\texclusive backup: FAILED (PostgreSQL is still in the backup mode of "
                        "backup " +
                        killed));
  EXPECT_THAT(site.barman.run({"doctor", "--sql", "main"}).out,
              HasSubstr("\nSELECT pg_stop_backup(true, false);\n"));
  // The same of files on this host.
  site.barman.set("main", "backup_method", "local-rsync");
  site.barman.set("main", "ssh_command", "");
  expect_exclusive_backup(site);
}

}  // namespace
}  // namespace barman::test
