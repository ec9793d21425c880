// backup_method = local-rsync: the files of a running PostgreSQL on this host are copied natively.
// Restored backups are started, and have the rows; unchanged files are shared with the backup
// before, changed ones never; what ends the session of the backup ends the backup.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/catalogue_files.h"
#include "support/copied_site.h"
#include "support/eventually.h"
#include "support/incremental_site.h"
#include "support/standby.h"
#include "support/writer.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// A barman beside the PostgreSQL whose files it copies.
struct LocalSite : CopiedSite {
  explicit LocalSite(int major, Settings more = {})
      : CopiedSite(major, with_method(std::move(more))) {}
  static Settings with_method(Settings more) {
    more.emplace("backup_method", "local-rsync");
    more.emplace("backup_options", "concurrent_backup");
    return more;
  }
};

void expect_rows(const fs::path& data, int major, const std::map<std::string, Rows>& rows) {
  PostgresServer copy({.major = major, .data_directory = data});
  copy.wait_until_primary();
  EXPECT_EQ(all_rows(copy), rows);
}

void expect_backups_under_load(int major) {
  LocalSite site(major, {{"reuse_backup", "link"}, {"parallel_jobs", "2"}});
  std::optional<Writer> writer(std::in_place, site.postgres);
  writer->wait_for_commits(20);
  const CommandResult first = site.barman.run({"backup", "--wait", "--manifest", "main"});
  ASSERT_EQ(first.exit_code, 0) << first.out << first.err;
  EXPECT_EQ(first.err, "");
  const std::string one = site.listed_backups().front();
  EXPECT_THAT(
      first.out,
      AllOf(HasSubstr("Starting backup using rsync-concurrent method for server main in "),
            HasSubstr("Starting backup copy via local rsync for " + one + " (2 jobs)\n"),
            HasSubstr("Asking PostgreSQL server to finalize the backup.\n"),
            HasSubstr("Actual size on disk: "), HasSubstr("Backup completed (start time: ")));
  EXPECT_EQ(site.status_of(one), "DONE");

  // Restored to a moment behind the backup.
  const Commit target = writer->wait_for_commits(20);
  writer->wait_for_commits(20);
  site.postgres.query("UPDATE changing SET text = 'new' WHERE id % 100 = 0");
  const CommandResult second = site.barman.run({"backup", "--wait", "--manifest", "main"});
  ASSERT_EQ(second.exit_code, 0) << second.out << second.err;
  const std::string two = site.listed_backups().front();
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
  EXPECT_TRUE(fs::is_symlink(site.base(two) / "data/pg_tblspc" / site.oid_of("ts")));
  EXPECT_FALSE(fs::exists(site.base(two) / "data/postmaster.pid"));
  const CommandResult verified = site.barman.run({"verify-backup", "main", two});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  EXPECT_EQ(verified_by_postgres(site.base(two) / "data", "backup_manifest"), "");
  // backup_label and pg_control.
  EXPECT_LE(site.manifest_counts(one).read, 5);
  EXPECT_LE(site.manifest_counts(two).read, 5);
  EXPECT_GT(site.manifest_counts(two).copied, 0);
  EXPECT_GT(site.manifest_counts(two).shared, 100);
  // Each stands alone.
  const CommandResult deleted = site.barman.run({"delete", "main", one});
  ASSERT_EQ(deleted.exit_code, 0) << deleted.out << deleted.err;
  const CopiedRestore restored(site, two);
  ASSERT_EQ(restored.result.exit_code, 0) << restored.result.out << restored.result.err;
  EXPECT_EQ(verified_by_postgres(restored.data, "backup_manifest." + two), "");
  expect_rows(restored.data, major, all_rows(site.postgres));
}

TEST(LocalFiles, AreBackedUpUnderLoadAndRestoredToAMoment) { expect_backups_under_load(17); }

TEST(LocalFiles, OfPostgres13AreBackedUpUnderLoadAndRestoredToAMoment) {
  expect_backups_under_load(13);
}

TEST(LocalFiles, OfAStandbyAreBackedUp) {
  PostgresServer primary;
  primary.query("CREATE TABLE t AS SELECT generate_series(1, 1000) AS id");
  const TempDir place;
  clone_as_standby(primary, place.path() / "standby");
  PostgresServer standby({.data_directory = place.path() / "standby"});
  BarmanHome barman;
  barman.add_streaming_server(
      "main", standby, LocalSite::with_method({{"primary_conninfo", primary.conninfo("barman")}}));
  ASSERT_EQ(barman.run({"receive-wal", "--create-slot", "main"}).exit_code, 0);
  const BackgroundCommand receiver = barman.spawn_receiver("main", standby);
  make_restart_point(primary, standby);
  Writer writer(primary);
  writer.wait_for_commits(10);
  const CommandResult result = barman.run({"backup", "--wait", "main"});
  const std::vector<Commit> commits = writer.stop();
  ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_EQ(result.err, "");
  const std::string id = barman.backup_ids("main").at(0);
  const Fields info = read_backup_info(barman, "main", id);
  EXPECT_EQ(info.at("status"), "DONE");
  EXPECT_EQ(info.at("pgdata"), standby.data_directory().string());
  EXPECT_THAT(info.at("backup_label"), HasSubstr("BACKUP FROM: standby"));
  const fs::path destination = place.path() / "restored";
  const CommandResult restored = barman.run({"restore", "main", id, destination.string()});
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  PostgresServer copy({.data_directory = destination});
  copy.wait_until_primary();
  EXPECT_EQ(copy.value("SELECT count(*) FROM t"), "1000");
  const std::vector<std::int64_t> ids = written_ids(copy);
  EXPECT_GE(ids.size(), 10U);
  EXPECT_EQ(ids, ids_until(commits, static_cast<std::int64_t>(ids.size())));
}

// One server for several facts.
TEST(LocalFiles, AreRefusedAndFailWithReasons) {
  LocalSite site(17);
  const CommandResult check = site.barman.run({"check", "main"});
  EXPECT_EQ(check.exit_code, 0) << check.out << check.err;
  EXPECT_THAT(check.out, AllOf(HasSubstr("\tlocal PGDATA: OK (Access to local PGDATA)\n"),
                               Not(HasSubstr("pg_basebackup"))));

  // The session of the backup ends while files are copied: slowly, by a limit.
  BackgroundCommand backup = site.barman.spawn({"backup", "--bwlimit", "500", "main"});
  ASSERT_TRUE(eventually([&] {
    const std::vector<std::string> ids = site.barman.backup_ids("main");
    return !ids.empty() && fs::exists(site.base(ids.back()) / "data/PG_VERSION");
  }));
  site.postgres.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'barman'");
  const auto ended = backup.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->exit_code, 1);
  EXPECT_THAT(ended->err,
              AllOf(HasSubstr("ERROR: The backup has failed copying files\n"),
                    HasSubstr("Connection to the Postgres server was lost during the backup.")));
  EXPECT_EQ(site.status_of(site.barman.backup_ids("main").back()), "FAILED");

  // Exclusive backups, archives and another server in the place of ours.
  site.barman.set("main", "backup_options", "exclusive_backup");
  const CommandResult exclusive = site.barman.run({"backup", "main"});
  EXPECT_EQ(exclusive.exit_code, 1);
  EXPECT_THAT(exclusive.err,
              HasSubstr("exclusive backup supported: exclusive backups not supported on PostgreSQL "
                        "17"));
  site.barman.set("main", "backup_options", "concurrent_backup");
  const fs::path pid_file = site.postgres.data_directory() / "postmaster.pid";
  const std::string text = read_text(pid_file);
  std::string other = text;
  const std::string port = "\n" + std::to_string(site.postgres.port()) + "\n";
  ASSERT_NE(other.find(port), std::string::npos);
  write_text(pid_file, other.replace(other.find(port), port.size(), "\n1\n"));
  const CommandResult refused = site.barman.run({"check", "main"});
  write_text(pid_file, text);
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.out, HasSubstr("another server runs in it"));
}

// One server for several stories: each of them ends as it should, and the next backup is taken.
class LocalFilesUnderWay : public testing::Test {
 protected:
  // It is copying the table `bulk`, for five seconds; `fresh` has arrived already.
  BackgroundCommand slow_backup() {
    site_.postgres.query("DROP TABLE IF EXISTS bulk, fresh");
    site_.postgres.query("CREATE TABLE fresh TABLESPACE ts AS SELECT generate_series(1, 9) AS id");
    site_.postgres.query(
        "CREATE TABLE bulk AS SELECT g AS id, repeat(md5(g::text), 12) AS text "
        "FROM generate_series(1, 24000) g");
    site_.postgres.query("CHECKPOINT");
    const std::string bulk = site_.file_of("bulk");
    const std::string fresh = site_.file_of("fresh");
    const std::size_t before = site_.barman.backup_ids("main").size();
    BackgroundCommand command = site_.barman.spawn({"backup", "--bwlimit", "2000", "main"});
    EXPECT_TRUE(eventually([&] {
      const std::vector<std::string> ids = site_.barman.backup_ids("main");
      return ids.size() > before && fs::exists(site_.base(ids.back()) / bulk) &&
             fs::exists(site_.base(ids.back()) / fresh);
    })) << command.err();
    return command;
  }
  static CommandResult ended(BackgroundCommand& command) {
    const std::optional<CommandResult> result = command.wait();
    EXPECT_TRUE(result);
    return result.value_or(CommandResult());
  }
  void expect_failed(const CommandResult& result, const std::string& reason) {
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, AllOf(HasSubstr("ERROR: "), HasSubstr(reason)));
    EXPECT_EQ(site_.status_of(site_.newest()), "FAILED");
  }
  void expect_restored(const std::string& id) {
    const CopiedRestore restored(site_, id);
    ASSERT_EQ(restored.result.exit_code, 0) << restored.result.out << restored.result.err;
    expect_rows(restored.data, kUsualMajor, all_rows(site_.postgres));
  }
  void hold_what_is_left();
  void go_on_after_a_kill();
  void fail_with_postgres();
  void fail_at_a_file_that_cannot_be_read();

  LocalSite site_{kUsualMajor, {{"reuse_backup", "link"}}};
};

void LocalFilesUnderWay::hold_what_is_left() {
  site_.postgres.query("CREATE DATABASE gone");
  BackgroundCommand command = slow_backup();
  site_.postgres.query("DROP DATABASE gone");
  site_.postgres.query("DELETE FROM bulk WHERE id > 10");
  site_.postgres.query("VACUUM (TRUNCATE) bulk");
  site_.postgres.query("INSERT INTO fresh SELECT generate_series(10, 50000)");
  EXPECT_TRUE(command.is_running());
  const CommandResult second = site_.barman.run({"backup", "main"});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr("ERROR: Another backup process is running\n"));
  const CommandResult result = ended(command);
  ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  site_.archive_a_segment();
  expect_restored(site_.newest());
}

void LocalFilesUnderWay::go_on_after_a_kill() {
  BackgroundCommand command = slow_backup();
  command.kill(SIGKILL);
  ended(command);
  const std::string killed = site_.newest();
  const CommandResult next = site_.barman.run({"backup", "--wait", "--manifest", "main"});
  ASSERT_EQ(next.exit_code, 0) << next.out << next.err;
  EXPECT_EQ(site_.status_of(killed), "FAILED");
  const std::string id = site_.newest();
  EXPECT_TRUE(site_.is_shared(killed, id, site_.file_of("fresh")));
  EXPECT_EQ(site_.barman.run({"delete", "main", killed}).exit_code, 0);
  EXPECT_EQ(site_.barman.run({"verify-backup", "main", id}).exit_code, 0);
  expect_restored(id);
}

void LocalFilesUnderWay::fail_with_postgres() {
  BackgroundCommand command = slow_backup();
  site_.postgres.kill_9();
  expect_failed(ended(command), "Connection to the Postgres server was lost during the backup.");
  site_.postgres.start();
  ASSERT_TRUE(eventually([&] {
    return site_.barman.run({"backup", "--wait", "main"}).exit_code == 0;
  }));
}

void LocalFilesUnderWay::fail_at_a_file_that_cannot_be_read() {
  const fs::path unreadable = site_.postgres.data_directory() / "base/unreadable";
  write_text(unreadable, "x");
  fs::permissions(unreadable, fs::perms::none);
  const CommandResult result = site_.barman.run({"backup", "main"});
  fs::remove(unreadable);
  expect_failed(result, "\"" + unreadable.string() + "\": Permission denied");
}

// The clock of the copy itself tells: what a tablespace may not be copied faster than, by rules
// with blanks and commas, and what has no rule.
TEST(LocalFiles, OfATablespaceAreCopiedAtItsOwnRate) {
  LocalSite site(kUsualMajor, {{"tablespace_bandwidth_limit", "absent:1,ts:1000 other:2"}});
  site.postgres.query(
      "CREATE TABLE bulk AS SELECT g AS id, repeat('b', 300) AS text "
      "FROM generate_series(1, 20000) g");
  const CommandResult result = site.barman.run({"backup", "--wait", "main"});
  ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  const fs::path base = site.base(site.newest());
  const auto size_of = [](const fs::path& directory) {
    double size = 0;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory)) {
      if (entry.is_regular_file()) size += static_cast<double>(entry.file_size());
    }
    return size;
  };
  const std::string stats = read_backup_info(site.barman, "main", site.newest()).at("copy_stats");
  const auto seconds_of = [&](const std::string& item) {
    const std::size_t list = stats.find("'copy_time_per_item'");
    const std::string name = "'" + item + "': ";
    return std::stod(stats.substr(stats.find(name, list) + name.size()));
  };
  constexpr double kRate = 1000 * 1024;
  const double limited = size_of(base / site.oid_of("ts")) / seconds_of("ts");
  EXPECT_LT(limited, kRate * 1.2) << stats;
  EXPECT_GT(size_of(base / "data") / seconds_of("pgdata"), kRate * 2) << stats;
}

TEST_F(LocalFilesUnderWay, EndAsTheyShouldAndTheNextBackupIsTaken) {
  hold_what_is_left();
  go_on_after_a_kill();
  fail_at_a_file_that_cannot_be_read();
  fail_with_postgres();
}

}  // namespace
}  // namespace barman::test
