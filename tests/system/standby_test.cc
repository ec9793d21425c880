// Backups from a standby: `conninfo` leads to it, `primary_conninfo` to its primary. What a standby
// cannot do (complete a segment of WAL, make a checkpoint) its primary does, or the end is clear.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "support/barman_home.h"
#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/ssh_server.h"
#include "support/standby.h"
#include "support/writer.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// A primary, its standby, and a barman that is told of both.
class StandbySite : public testing::Test {
 protected:
  StandbySite() {
    primary_.query("CREATE TABLE t AS SELECT generate_series(1, 1000) AS id");
    clone_as_standby(primary_, place_.path() / "standby");
  }
  void begin(const Settings& more, const std::string& standby_settings = "") {
    const fs::path settings = place_.path() / "standby" / "postgresql.auto.conf";
    write_text(settings, read_text(settings) + standby_settings);
    standby_.emplace(PostgresOptions{.data_directory = place_.path() / "standby"});
    Settings all = more;
    all.emplace("primary_conninfo", primary_.conninfo("barman"));
    barman_.add_streaming_server("main", *standby_, all);
    EXPECT_EQ(barman_.run({"receive-wal", "--create-slot", "main"}).exit_code, 0);
    const bool is_from_primary = more.contains("wal_streaming_conninfo");
    receiver_.emplace(barman_.spawn_receiver("main", is_from_primary ? primary_ : *standby_));
    make_restart_point(primary_, *standby_);
  }
  std::string last_id() { return barman_.backup_ids("main").back(); }
  std::string status_of(const std::string& id) {
    return read_backup_info(barman_, "main", id).at("status");
  }
  // The rows of table t that a restored server has.
  std::string restored_count(const std::string& id) {
    const TempDir place;
    const CommandResult result =
        barman_.run({"restore", "main", id, (place.path() / "data").string()});
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    if (result.exit_code != 0) return "";
    PostgresServer server({.data_directory = place.path() / "data"});
    server.wait_until_primary();
    return server.value("SELECT count(*) FROM t");
  }
  // With a limit, as soon as its first files are here.
  BackgroundCommand spawn_slow_backup() {
    BackgroundCommand backup = barman_.spawn({"backup", "--bwlimit", "2000", "main"});
    EXPECT_TRUE(eventually([&] {
      const std::vector<std::string> ids = barman_.backup_ids("main");
      return !ids.empty() &&
             fs::exists(barman_.server_directory("main") / "base" / ids.back() / "data" / "base");
    })) << backup.out()
        << backup.err();
    return backup;
  }
  // Its files come through ssh.
  Settings by_rsync() {
    ssh_.emplace(barman_);
    return {{"backup_method", "rsync"},
            {"backup_options", "concurrent_backup"},
            {"ssh_command", ssh_->shell()}};
  }
  void expect_failed_by_promotion(const Settings& more);
  void expect_backup_that_lags(const Settings& more);
  void expect_backup_beside_vacuum(const Settings& more);
  void expect_wait_for_the_primary(Settings more);
  void expect_forced_checkpoint(const std::string& standby_settings);

  PostgresServer primary_;
  const TempDir place_;
  std::optional<PostgresServer> standby_;
  BarmanHome barman_;
  std::optional<SshServer> ssh_;
  std::optional<BackgroundCommand> receiver_;
};

const Settings kLocalFiles = {{"backup_method", "local-rsync"},
                              {"backup_options", "concurrent_backup"}};

void StandbySite::expect_failed_by_promotion(const Settings& more) {
  begin(more);
  BackgroundCommand backup = spawn_slow_backup();
  standby_->promote();
  const auto ended = backup.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->exit_code, 1);
  EXPECT_THAT(ended->err, HasSubstr("the standby was promoted during online backup"));
  const std::string failed = last_id();
  EXPECT_EQ(status_of(failed), "FAILED");
  // It is a primary now; the former one is another branch.
  primary_.stop();
  const CommandResult next = barman_.run({"backup", "--wait", "main"});
  EXPECT_EQ(next.exit_code, 0) << next.out << next.err;
  EXPECT_THAT(next.err, HasSubstr("'primary_conninfo' is set but 'conninfo' does not point to a "
                                  "standby server. Ignoring 'primary_conninfo'."));
  EXPECT_EQ(status_of(last_id()), "DONE");
  EXPECT_EQ(read_backup_info(barman_, "main", last_id()).at("timeline"), "2");
  EXPECT_EQ(restored_count(last_id()), "1000");
}

TEST_F(StandbySite, PromotedInTheMiddleFailsTheBackupAndTheNextOneIsGood) {
  expect_failed_by_promotion({});
}

TEST_F(StandbySite, PromotedInTheMiddleFailsABackupOfItsFilesAndTheNextOneIsGood) {
  expect_failed_by_promotion(kLocalFiles);
}

TEST_F(StandbySite, PromotedInTheMiddleFailsABackupByRsyncAndTheNextOneIsGood) {
  if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  expect_failed_by_promotion(by_rsync());
}

void StandbySite::expect_backup_that_lags(const Settings& more) {
  begin(more);
  standby_->query("SELECT pg_wal_replay_pause()");
  standby_->wait_until("pg_get_wal_replay_pause_state() = 'paused'");
  primary_.query("INSERT INTO t SELECT generate_series(1001, 2000)");
  const CommandResult backup = barman_.run({"backup", "--wait", "main"});
  EXPECT_EQ(backup.exit_code, 0) << backup.out << backup.err;
  EXPECT_EQ(backup.err, "");
  const std::string id = last_id();
  EXPECT_EQ(status_of(id), "DONE");
  EXPECT_EQ(standby_->value("SELECT count(*) FROM t"), "1000");
  standby_->query("SELECT pg_wal_replay_resume()");
  EXPECT_EQ(barman_.run({"switch-wal", "--archive", "main"}).exit_code, 0);
  EXPECT_EQ(restored_count(id), "2000");
}

TEST_F(StandbySite, ThatLagsIsBackedUpAsItIs) { expect_backup_that_lags({}); }

TEST_F(StandbySite, ThatLagsIsBackedUpByRsyncAsItIs) {
  if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  expect_backup_that_lags(by_rsync());
}

// Without hot_standby_feedback the standby ends queries that stand in the way of its recovery; a
// backup has none.
void StandbySite::expect_backup_beside_vacuum(const Settings& more) {
  begin(more, "hot_standby_feedback = off\nmax_standby_streaming_delay = 0\n");
  BackgroundCommand backup = spawn_slow_backup();
  for (int i = 0; i < 5; ++i) {
    primary_.query("UPDATE t SET id = id");
    primary_.query("VACUUM (FREEZE, TRUNCATE) t");
    primary_.query("CREATE TABLE gone AS SELECT 1");
    primary_.query("DROP TABLE gone");
  }
  EXPECT_TRUE(backup.is_running());
  const auto ended = backup.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->exit_code, 0) << ended->out << ended->err;
  EXPECT_EQ(barman_.run({"switch-wal", "--archive", "main"}).exit_code, 0);
  EXPECT_EQ(barman_.run({"check-backup", "main", last_id()}).exit_code, 0);
  EXPECT_EQ(status_of(last_id()), "DONE");
  EXPECT_EQ(restored_count(last_id()), "1000");
}

TEST_F(StandbySite, WithoutFeedbackIsBackedUpWhileItsPrimaryVacuums) {
  expect_backup_beside_vacuum({});
}

TEST_F(StandbySite, WithoutFeedbackHasItsFilesBackedUpWhileItsPrimaryVacuums) {
  expect_backup_beside_vacuum(kLocalFiles);
}

// Only the primary completes segments, and nobody asks it to.
void StandbySite::expect_wait_for_the_primary(Settings more) {
  more.emplace("primary_conninfo", "");
  begin(more);
  const CommandResult backup = barman_.run({"backup", "--wait", "--wait-timeout", "2", "main"});
  const std::string id = last_id();
  EXPECT_EQ(status_of(id), "WAITING_FOR_WALS");
  EXPECT_THAT(backup.err,
              AllOf(HasSubstr("primary_conninfo"), HasSubstr("classified as WAITING_FOR_WALS")));
  const CommandResult check = barman_.run({"check", "main"});
  EXPECT_THAT(check.out, Not(HasSubstr("Primary server is not a standby")));
  primary_.query("SELECT pg_switch_wal()");
  ASSERT_TRUE(eventually([&] {
    barman_.run({"cron"});
    return status_of(id) == "DONE";
  }));
  EXPECT_EQ(restored_count(id), "1000");
}

TEST_F(StandbySite, WithoutPrimaryConninfoWaitsForTheWalOfThePrimary) {
  expect_wait_for_the_primary({});
}

TEST_F(StandbySite, WithoutPrimaryConninfoWaitsAfterRsyncForTheWalOfThePrimary) {
  if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  expect_wait_for_the_primary(by_rsync());
}

// The first switch on the primary fails, and nobody writes there.
void StandbySite::expect_forced_checkpoint(const std::string& standby_settings) {
  primary_.query("CREATE ROLE helper LOGIN IN ROLE pg_monitor, pg_checkpoint");
  Settings settings = by_rsync();
  settings.merge(Settings{{"primary_conninfo", primary_.conninfo("helper")},
                          {"primary_checkpoint_timeout", "2"}});
  begin(settings, standby_settings);
  BackgroundCommand backup = barman_.spawn({"backup", "--wait", "main"});
  ASSERT_TRUE(eventually([&] {
    return barman_.log().find("cannot switch WAL on the primary of 'main'") != std::string::npos;
  })) << backup.err();
  primary_.query("GRANT EXECUTE ON FUNCTION pg_switch_wal() TO helper");
  const auto ended = backup.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->exit_code, 0) << ended->out << ended->err;
  EXPECT_THAT(ended->err, HasSubstr("No WAL has come from the primary of server 'main' for 2 "
                                    "seconds: a checkpoint is forced there"));
  EXPECT_EQ(status_of(last_id()), "DONE");
  EXPECT_EQ(restored_count(last_id()), "1000");
}

TEST_F(StandbySite, BackedUpByRsyncHasACheckpointForcedOnThePrimaryAfterTheTimeout) {
  if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  expect_forced_checkpoint("");
}

// The standby itself waits for the segment.
TEST_F(StandbySite, ThatArchivesIsBackedUpByRsyncWhenNobodyWrites) {
  if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  expect_forced_checkpoint("archive_mode = 'always'\narchive_command = 'true'\n");
}

TEST_F(StandbySite, WhosePrimaryCannotBeReachedIsNotBackedUp) {
  begin({{"primary_conninfo", "host=127.0.0.1 port=1 user=barman dbname=postgres"}});
  const CommandResult backup = barman_.run({"backup", "main"});
  EXPECT_EQ(backup.exit_code, 1);
  EXPECT_THAT(backup.err, AllOf(HasSubstr("Impossible to start the backup"),
                                HasSubstr("port 1 failed: Connection refused")));
  EXPECT_THAT(barman_.run({"list-backups", "--minimal", "main"}).out, "");
}

// Files from the standby, WAL from the primary.
TEST_F(StandbySite, GivesTheFilesAndItsPrimaryTheWal) {
  begin({{"wal_conninfo", primary_.conninfo("barman")},
         {"wal_streaming_conninfo", primary_.conninfo("streaming_barman")}});
  EXPECT_EQ(primary_.value("SELECT count(*) FROM pg_replication_slots WHERE active"), "1");
  EXPECT_EQ(standby_->value("SELECT count(*) FROM pg_replication_slots"), "0");
  Writer writer(primary_);
  writer.wait_for_commits(10);
  const CommandResult backup = barman_.run({"backup", "--wait", "main"});
  writer.stop();
  EXPECT_EQ(backup.exit_code, 0) << backup.out << backup.err;
  EXPECT_EQ(status_of(last_id()), "DONE");
  EXPECT_THAT(read_backup_info(barman_, "main", last_id()).at("backup_label"),
              HasSubstr("BACKUP FROM: standby"));
  EXPECT_EQ(restored_count(last_id()), "1000");
}

// The same, and its files come through ssh.
TEST_F(StandbySite, GivesTheFilesByRsyncAndItsPrimaryTheWal) {
  if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  Settings settings = by_rsync();
  settings.merge(Settings{{"wal_conninfo", primary_.conninfo("barman")},
                          {"wal_streaming_conninfo", primary_.conninfo("streaming_barman")}});
  begin(settings);
  const CommandResult backup = barman_.run({"backup", "--wait", "main"});
  EXPECT_EQ(backup.exit_code, 0) << backup.out << backup.err;
  EXPECT_EQ(backup.err, "");
  const std::string id = last_id();
  EXPECT_EQ(status_of(id), "DONE");
  const Fields info = read_backup_info(barman_, "main", id);
  EXPECT_THAT(info.at("backup_label"), HasSubstr("BACKUP FROM: standby"));
  EXPECT_EQ(info.at("pgdata"), standby_->data_directory().string());
  EXPECT_EQ(restored_count(id), "1000");
}

}  // namespace
}  // namespace barman::test
