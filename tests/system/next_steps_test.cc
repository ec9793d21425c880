// Refusals and warnings that somebody reads at night: each names the cause and what is done next.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "base/text.h"
#include "support/eventually.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// As on a terminal.
std::string shown_to_a_person(const BarmanHome& barman, const std::vector<std::string>& arguments) {
  const CommandRequest request = barman.request(arguments);
  std::vector<std::string> words;
  for (const std::string& word : request.argv) words.push_back(shell_quote(word));
  return replace_all(run_command({.argv = {"script", "-qec", join(words, " "), "/dev/null"},
                                  .environment = request.environment})
                         .out,
                     "\r", "");
}

TEST(NextStep, OfARestoreWithoutAnyBackup) {
  StreamingSite site;
  const TempDir place;
  site.barman.run({"check", "main"});
  const CommandResult result =
      site.barman.run({"restore", "main", "auto", (place.path() / "data").string()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("Cannot find any candidate backup"),
                    HasSubstr("This server has no backups"), HasSubstr("'barman backup'")));
}

TEST(NextStep, OfANewServerIsItsFirstWal) {
  StreamingSite::Options options;
  options.server = {{"check_timeout", "5"}};
  StreamingSite site(options);
  const std::string shown = shown_to_a_person(site.barman, {"check", "main"});
  EXPECT_THAT(shown, HasSubstr("ask for the first file: barman switch-wal --force --archive main"));
  EXPECT_THAT(site.barman.run({"doctor", "main"}).out,
              HasSubstr("barman switch-wal --force --archive main"));
}

TEST(NextStep, OfARestoreOverARunningCluster) {
  StreamingSite site;
  site.start_receiver();
  site.archive_a_segment();
  site.take_backup();
  const CommandResult result = site.barman.run(
      {"restore", "main", "latest", site.postgres.data_directory().string(), "--delta-restore"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr("stop it first"), HasSubstr("--delta-restore")));
}

TEST(NextStep, OfALostPrimaryIsThatItStaysAway) {
  StreamingSite site;
  site.start_receiver();
  site.archive_a_segment();
  site.take_backup();
  site.postgres.query("CREATE TABLE t AS SELECT generate_series(1, 1000) id");
  const std::string lsn = site.postgres.value("SELECT pg_current_wal_flush_lsn()");
  site.postgres.query("INSERT INTO t SELECT generate_series(1001, 2000)");
  site.wait_until_acknowledged(site.postgres.value("SELECT pg_current_wal_flush_lsn()"));
  site.stop_receiver();
  const TempDir place;
  const std::string data = (place.path() / "data").string();
  const CommandResult before =
      site.barman.run({"restore", "main", "latest", data, "--target-lsn", lsn});
  ASSERT_EQ(before.exit_code, 0) << before.err;
  {
    PostgresServer paused({.data_directory = data});
    EXPECT_EQ(paused.value("SELECT count(*) FROM t"), "1000");
  }
  // The unfinished segment that lies there now is the receiver's own.
  const CommandResult again =
      site.barman.run({"restore", "main", "latest", data, "--delta-restore"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, Not(HasSubstr("not in the archive")));
  EXPECT_THAT(shown_to_a_person(site.barman,
                                {"restore", "main", "latest", (place.path() / "new").string()}),
              HasSubstr("that one must not come back"));
  EXPECT_THAT(shown_to_a_person(site.barman, {"restore", "--standby-mode", "main", "latest",
                                              (place.path() / "standby").string()}),
              AllOf(HasSubstr("This is a standby"), Not(HasSubstr("that one must not come back"))));
}

TEST(NextStep, OfATargetWithoutHotStandbyIsNoPause) {
  StreamingSite site;
  site.start_receiver();
  site.archive_a_segment();
  site.postgres.query("ALTER SYSTEM SET hot_standby = off");
  site.take_backup();
  site.postgres.query("SELECT pg_create_restore_point('noon')");
  site.wait_until_acknowledged(site.postgres.value("SELECT pg_current_wal_flush_lsn()"));
  site.stop_receiver();
  const TempDir place;
  const std::string data = (place.path() / "data").string();
  EXPECT_THAT(
      shown_to_a_person(site.barman, {"restore", "main", "latest", data, "--target-name", "noon"}),
      AllOf(HasSubstr("hot_standby is off (postgresql.auto.conf line"),
            HasSubstr("There PostgreSQL shuts down"), Not(HasSubstr("PostgreSQL pauses"))));
  PostgresServer server({.data_directory = data, .start = StartWait::processes});
  server.wait_until_ended();
  EXPECT_THAT(server.log(), HasSubstr("shutdown at recovery target"));
}

TEST(NextStep, OfABackupThatWasEndedSaysWhoDidIt) {
  StreamingSite::Options options;
  options.server = {{"bandwidth_limit", "100"}};
  StreamingSite site(options);
  site.start_receiver();
  site.archive_a_segment();
  BackgroundCommand backup = site.barman.spawn({"backup", "main"});
  ASSERT_TRUE(eventually([&] { return site.is_copying(); }));
  EXPECT_EQ(site.barman.run({"terminate-process", "main", "backup"}).exit_code, 0);
  backup.wait();
  const std::string shown = site.barman.run({"show-backup", "main", "last-failed"}).out;
  EXPECT_THAT(shown, AllOf(HasSubstr("stopped by a person: Ctrl-C, or 'barman terminate-process'"),
                           Not(HasSubstr("KeyboardInterrupt"))));
}

TEST(NextStep, OfAMistypedOptionIsTheOption) {
  BarmanHome barman;
  const CommandResult result = barman.run({"backup", "--hlep"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, AllOf(HasSubstr("unrecognized arguments: --hlep"), HasSubstr("--help")));
}

TEST(NextStep, OfADeletionThatNobodyUnderstandsIsToldOnce) {
  StreamingSite site;
  site.start_receiver();
  site.archive_a_segment();
  site.take_backup();
  site.barman.set("main", "minimum_redundancy", "two");
  const CommandResult refused = site.barman.run({"delete", "main", "latest"});
  EXPECT_EQ(refused.exit_code, 1);
  const std::size_t first = refused.err.find("configuration value 'two'");
  EXPECT_NE(first, std::string::npos) << refused.err;
  EXPECT_EQ(refused.err.find("configuration value 'two'", first + 1), std::string::npos)
      << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("its minimum_redundancy is not understood"));
  EXPECT_THAT(site.barman.run({"cron", "--dry-run"}).out,
              HasSubstr("minimum redundancy: not understood, so nothing is deleted"));
}

TEST(NextStep, OfAReceiverThatLivesAndDoesNotStream) {
  StreamingSite::Options options;
  options.server = {{"check_timeout", "5"}};
  StreamingSite site(options);
  site.start_receiver();
  site.archive_a_segment();
  // Another host, beside the receiver that has begun with this one.
  PostgresServer other;
  other.query("SELECT pg_create_physical_replication_slot('barman', true)");
  site.barman.set("main", "conninfo", other.conninfo("barman"));
  site.barman.set("main", "streaming_conninfo", other.conninfo("streaming_barman"));
  const std::string changed = site.barman.run({"check", "main"}).out;
  EXPECT_THAT(changed, AllOf(HasSubstr("it began with \""), HasSubstr("the configuration has \""),
                             HasSubstr("barman terminate-process main receive-wal")));
  // The same host, which does not let it in any more.
  site.barman.set("main", "conninfo", site.postgres.conninfo("barman"));
  site.barman.set("main", "streaming_conninfo", site.postgres.conninfo("streaming_barman"));
  EXPECT_THAT(site.barman.run({"check", "main"}).out, HasSubstr("receive-wal running: OK"));
  site.postgres.query("ALTER ROLE streaming_barman NOLOGIN");
  site.postgres.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_replication; SELECT pg_sleep(0.5)");
  const std::string refused = site.barman.run({"check", "main"}).out;
  EXPECT_THAT(refused, AllOf(HasSubstr("goes on trying: "), HasSubstr("not permitted to log in"),
                             HasSubstr("Mend that, and it goes on by itself")));
  EXPECT_THAT(site.barman.run({"doctor", "main"}).out,
              HasSubstr("barman terminate-process main receive-wal"));
  site.postgres.query("ALTER ROLE streaming_barman LOGIN");
  site.postgres.wait_until("count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'");
  EXPECT_THAT(site.barman.run({"check", "main"}).out, HasSubstr("receive-wal running: OK"));
}

TEST(NextStep, OfWalThatCannotComeIsSaidAtOnce) {
  StreamingSite site;
  const CommandResult result = site.barman.run({"switch-wal", "--force", "--archive", "main"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_LT(result.duration.count(), 2000);
  EXPECT_THAT(result.err, AllOf(HasSubstr("No receive-wal runs for server 'main'"),
                                HasSubstr("Nothing is waited for")));
  // Who says how long is believed.
  const CommandResult patient =
      site.barman.run({"switch-wal", "--force", "--archive", "--archive-timeout", "1", "main"});
  EXPECT_THAT(patient.err, Not(HasSubstr("Nothing is waited for")));
  // cron has just started one.
  EXPECT_EQ(site.barman.run({"cron"}).exit_code, 0);
  EXPECT_EQ(site.barman.run({"switch-wal", "--force", "--archive", "main"}).exit_code, 0);
}

}  // namespace
}  // namespace barman::test
