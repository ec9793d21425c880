// What a backup waits for is told: the checkpoint before its files, the archiving behind them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/standby.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(WaitingBackup, TellsOfAnArchiveCommandThatFails) {
  StreamingSite site(
      {.postgres = {.settings = {{"archive_mode", "on"}, {"archive_command", "false"}}}});
  site.start_receiver();
  BackgroundCommand backup = site.barman.spawn({"backup", "main"});
  const auto is_told = [&](const std::string& text) {
    return eventually([&] { return backup.err().find(text) != std::string::npos; });
  };
  ASSERT_TRUE(
      is_told("until PostgreSQL has archived the WAL of the backup: its archive_command "
              "fails, last for "))
      << backup.out() << backup.err();
  const std::string id = site.barman.backup_ids("main").at(0);
  const CommandResult shown = site.barman.run({"show-backup", "main", id});
  EXPECT_THAT(shown.out, AllOf(HasSubstr("STARTED"), HasSubstr("waiting since "),
                               HasSubstr("its archive_command fails")));
  // What PostgreSQL says follows.
  EXPECT_TRUE(is_told("PostgreSQL: NOTICE:")) << backup.err();
  site.postgres.query("ALTER SYSTEM SET archive_command = 'true'");
  site.postgres.query("SELECT pg_reload_conf()");
  const auto ended = backup.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->exit_code, 0) << ended->err;
  const CommandResult after = site.barman.run({"show-backup", "main", id});
  EXPECT_THAT(after.out, Not(HasSubstr("waiting since")));
}

TEST(WaitingBackup, TellsOfTheCheckpointAndTakesNoRateFromIt) {
  StreamingSite site({.postgres = {.settings = {{"checkpoint_timeout", "60"},
                                                {"checkpoint_completion_target", "0.2"}}},
                      .server = {{"immediate_checkpoint", "false"}}});
  site.start_receiver();
  site.archive_a_segment();
  site.postgres.query(
      "CREATE TABLE bulk AS SELECT g, repeat('x', 100) FROM generate_series(1, "
      "20000) g");
  const CommandResult backup = site.barman.run({"backup", "--wait", "main"});
  EXPECT_EQ(backup.exit_code, 0) << backup.err;
  EXPECT_THAT(backup.out, HasSubstr("PostgreSQL makes a checkpoint first, which it spreads over 12 "
                                    "seconds at most"));
  const TempDir place;
  const CommandResult plan = site.barman.run(
      {"restore", "--dry-run", "main", "latest", (place.path() / "restored").string()});
  EXPECT_THAT(plan.out, AllOf(HasSubstr("Expected time"), HasSubstr("MiB/s, the rate at which")));
}

// A server that does not speak English, whose standby waits for a segment that only its primary can
// complete. PostgreSQL of Debian has translations.
TEST(WaitingBackup, OfAStandbyMakesThePrimarySwitchInAnyLanguage) {
  if (!fs::exists("/usr/lib/postgresql/15")) GTEST_SKIP() << "no PostgreSQL 15 of Debian 12";
  const TempDir place;
  run_checked({.argv = {"localedef", "--no-archive", "-i", "de_DE", "-f", "UTF-8",
                        (place.path() / "de_DE.UTF-8").string()}});
  const std::map<std::string, std::string> locales{{"LOCPATH", place.path().string()}};
  const PostgresOptions debian{.major = 15,
                               .bin_directory = "/usr/lib/postgresql/15/bin",
                               .settings = {{"lc_messages", "de_DE.UTF-8"}},
                               .environment = locales};
  PostgresServer primary(debian);
  clone_as_standby(primary, place.path() / "standby");
  write_text(place.path() / "standby" / "postgresql.auto.conf",
             read_text(place.path() / "standby" / "postgresql.auto.conf") +
                 "archive_mode = 'always'\narchive_command = 'true'\n");
  PostgresServer standby({.major = 15,
                          .bin_directory = debian.bin_directory,
                          .data_directory = place.path() / "standby",
                          .environment = locales});
  BarmanHome barman;
  barman.add_streaming_server("main", standby, {{"primary_conninfo", primary.conninfo("barman")}});
  ASSERT_EQ(barman.run({"receive-wal", "--create-slot", "main"}).exit_code, 0);
  const BackgroundCommand receiver = barman.spawn_receiver("main", standby);
  make_restart_point(primary, standby);
  primary.query("CREATE TABLE t (id int)");
  const CommandResult backup = barman.run({"backup", "--wait", "main"});
  EXPECT_EQ(backup.exit_code, 0) << backup.out << backup.err;
  EXPECT_THAT(standby.log(), HasSubstr("Datenbanksystem ist bereit"));
}

// The first switch on the primary fails, and nobody writes there.
TEST(WaitingBackup, OfAStandbyForcesACheckpointOnThePrimaryAfterTheTimeout) {
  const TempDir place;
  PostgresServer primary;
  clone_as_standby(primary, place.path() / "standby");
  write_text(place.path() / "standby" / "postgresql.auto.conf",
             read_text(place.path() / "standby" / "postgresql.auto.conf") +
                 "archive_mode = 'always'\narchive_command = 'true'\n");
  PostgresServer standby({.data_directory = place.path() / "standby"});
  primary.query("CREATE ROLE helper LOGIN IN ROLE pg_monitor, pg_checkpoint");
  BarmanHome barman;
  barman.add_streaming_server(
      "main", standby,
      {{"primary_conninfo", primary.conninfo("helper")}, {"primary_checkpoint_timeout", "3"}});
  ASSERT_EQ(barman.run({"receive-wal", "--create-slot", "main"}).exit_code, 0);
  const BackgroundCommand receiver = barman.spawn_receiver("main", standby);
  make_restart_point(primary, standby);
  BackgroundCommand backup = barman.spawn({"backup", "--wait", "main"});
  ASSERT_TRUE(eventually([&] {
    return barman.log().find("cannot switch WAL on the primary of 'main'") != std::string::npos;
  })) << backup.err();
  primary.query("GRANT EXECUTE ON FUNCTION pg_switch_wal() TO helper");
  const auto ended = backup.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->exit_code, 0) << ended->err;
  EXPECT_THAT(ended->err, HasSubstr("No WAL has come from the primary of server 'main' for 3 "
                                    "seconds: a checkpoint is forced there"));
}

}  // namespace
}  // namespace barman::test
