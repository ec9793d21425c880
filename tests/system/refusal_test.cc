// What barman must refuse, and how: two commands at the same time, missing rights and slots, WAL
// that is gone, the wrong cluster. The message names the object, the reason and the next step; the
// exit code is that of Barman; secrets appear nowhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

void expect_refusal(const CommandResult& result, const std::string& message) {
  EXPECT_EQ(result.exit_code, 1) << result.out;
  EXPECT_THAT(result.err, HasSubstr("ERROR: " + message));
}

// The label's line of `check` as JSON.
nlohmann::json check_item(BarmanHome& barman, const std::string& key) {
  const CommandResult result = barman.run({"-f", "json", "check", "main"});
  const nlohmann::json answer = nlohmann::json::parse(result.out, nullptr, false);
  if (answer.is_discarded() || !answer.contains("main") || !answer["main"].contains(key)) {
    ADD_FAILURE() << "no item " << key << " in: " << result.out << result.err;
    return {};
  }
  return answer["main"][key];
}

// --------------------------------------------------------------------------- two at the same time

TEST(TwoAtOnce, OneBackupRunsAndNothingDeletesMeanwhile) {
  StreamingSite site;
  site.start_receiver();
  site.archive_a_segment();
  const std::string older = site.take_backup();
  BackgroundCommand running = site.barman.spawn({"backup", "--bwlimit", "4096", "main"});
  ASSERT_TRUE(eventually(
      [&] { return site.barman.backup_ids("main").back() != older && site.is_copying(); }));
  running.kill(SIGSTOP);  // It waits, however slow this machine is.
  expect_refusal(site.barman.run({"backup", "main"}), "Another backup process is running");
  expect_refusal(site.barman.run({"delete", "main", older}),
                 "Another process in running on server main. Impossible to delete the backup.\n"
                 "HINT: Try again when it has ended. It is process ");
  const std::string unfinished = site.listed_backups().front();
  EXPECT_EQ(site.status_of(unfinished), "STARTED") << "somebody has touched the running backup";
  EXPECT_EQ(site.barman.run({"cron"}).exit_code, 0);
  EXPECT_EQ(site.status_of(unfinished), "STARTED") << "cron takes it for abandoned";
  running.kill(SIGCONT);
  const auto result = running.wait();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->exit_code, 0) << result->err;
  EXPECT_THAT(site.status_of(unfinished), AnyOf("DONE", "WAITING_FOR_WALS"));
  EXPECT_THAT(site.listed_backups(), ElementsAre(unfinished, older));
}

TEST(TwoAtOnce, OneReceiverRuns) {
  StreamingSite site;
  site.start_receiver();
  expect_refusal(site.barman.run({"receive-wal", "main"}),
                 "Another receive-wal process is already running for server main.");
  expect_refusal(site.barman.run({"receive-wal", "--reset", "main"}),
                 "Unable to reset the status of receive-wal for server main. Process is still "
                 "running");
  expect_refusal(site.barman.run({"receive-wal", "--drop-slot", "main"}),
                 "Cannot drop replication slot 'barman' on server 'main' because it is in use.");
  EXPECT_TRUE(site.receiver().is_running());
  site.wait_until_acknowledged();
  EXPECT_EQ(site.lost_wal(), "");
}

TEST(TwoAtOnce, OneArchiverWorksAndTheOthersLeaveInPeace) {
  StreamingSite site;
  site.receive_segments(20);
  std::vector<BackgroundCommand> archivers;
  for (int n = 0; n < 4; ++n) archivers.push_back(site.barman.spawn({"archive-wal", "main"}));
  for (BackgroundCommand& archiver : archivers) {
    const auto result = archiver.wait();
    ASSERT_TRUE(result);
    EXPECT_EQ(result->exit_code, 0);
    EXPECT_EQ(result->err, "");
  }
  const auto archived = archived_wals(site.barman, "main");
  EXPECT_GE(archived.size(), 20U);
  std::vector<std::string> names;
  for (const auto& [name, path] : archived) names.push_back(name);
  EXPECT_EQ(indexed_wals(site.barman, "main"), names);
  EXPECT_EQ(site.lost_wal(), "");
}

// Barman's own processes during a migration hold the same locks.
TEST(TwoAtOnce, LocksOfOtherProgramsCount) {
  StreamingSite site;
  site.receive_segments(2);
  const auto hold = [&](const std::string& task) {
    const fs::path lock = site.barman.home() / (".main-" + task + ".lock");
    BackgroundCommand holder({.argv = {"flock", "--no-fork", lock, "sleep", "60"}});
    EXPECT_TRUE(eventually([&] {
      return run_command({.argv = {"flock", "--nonblock", lock, "true"}}).exit_code != 0;
    }));
    return holder;
  };
  {
    const BackgroundCommand holder = hold("archive-wal");
    const CommandResult busy = site.barman.run({"archive-wal", "main"});
    EXPECT_EQ(busy.exit_code, 0);
    EXPECT_EQ(busy.err, "");
    EXPECT_THAT(busy.out,
                HasSubstr("Another archive-wal process is already running on server main. "
                          "Skipping to the next server"));
    EXPECT_TRUE(archived_wals(site.barman, "main").empty());
  }
  {
    const BackgroundCommand holder = hold("receive-wal");
    expect_refusal(site.barman.run({"receive-wal", "main"}),
                   "Another receive-wal process is already running for server main.");
  }
  site.start_receiver();
  site.archive_a_segment();
  {
    const BackgroundCommand holder = hold("backup");
    expect_refusal(site.barman.run({"backup", "main"}), "Another backup process is running");
  }
  {
    const BackgroundCommand holder = hold("cron");
    const CommandResult busy = site.barman.run({"cron"});
    EXPECT_EQ(busy.exit_code, 0);
    EXPECT_THAT(busy.out, HasSubstr("Another cron process is already running on server main. "
                                    "Skipping to the next server"));
  }
  site.take_backup();
}

// ------------------------------------------------------------------------ passwords and privileges

class Passwords : public testing::Test {
 protected:
  Passwords() : postgres_({.authentication = Authentication::scram_sha_256}) {}

  std::string with_password(const std::string& user, const std::string& password) const {
    return postgres_.conninfo(user) + " password='" + password + "'";
  }
  // Keeps all that is ever printed, for expect_no_secret().
  CommandResult run(const std::vector<std::string>& arguments) {
    CommandResult result = barman_.run(arguments);
    printed_ += result.out + result.err;
    return result;
  }
  void expect_no_secret(const std::string& secret) const {
    EXPECT_THAT(printed_, Not(HasSubstr(secret)));
    EXPECT_THAT(barman_.log(), Not(HasSubstr(secret)));
  }

  PostgresServer postgres_;
  BarmanHome barman_;
  std::string printed_;
};

TEST_F(Passwords, ThatAreWrongAreReportedAndNotShown) {
  const std::string wrong = "quite another word";
  barman_.add_streaming_server("main", postgres_,
                               {{"conninfo", with_password("barman", wrong)},
                                {"streaming_conninfo", with_password("streaming_barman", wrong)}});
  expect_refusal(run({"receive-wal", "--create-slot", "main"}), "Cannot connect to server 'main'");
  EXPECT_THAT(printed_, HasSubstr("password authentication failed for user \"streaming_barman\""));
  const CommandResult receiver = run({"receive-wal", "main"});
  expect_refusal(receiver, "Impossible to start WAL streaming");
  EXPECT_THAT(receiver.err, AllOf(HasSubstr("password authentication failed for user \"barman\""),
                                  HasSubstr(".pgpass")));
  expect_refusal(run({"backup", "main"}), "Impossible to start the backup");
  EXPECT_EQ(check_item(barman_, "postgresql")["status"], "FAILED");
  run({"check", "main"});
  run({"status", "main"});
  run({"show-servers", "main"});
  expect_no_secret(wrong);
  EXPECT_TRUE(barman_.backup_ids("main").empty());
}

TEST_F(Passwords, ThatAreRightAreNotShownEither) {
  barman_.add_streaming_server(
      "main", postgres_,
      {{"conninfo", with_password("barman", kPassword)},
       {"streaming_conninfo", with_password("streaming_barman", kPassword)}});
  EXPECT_EQ(run({"receive-wal", "--create-slot", "main"}).exit_code, 0);
  const BackgroundCommand receiver = barman_.spawn_receiver("main", postgres_);
  EXPECT_EQ(run({"switch-wal", "--force", "--archive", "main"}).exit_code, 0);
  EXPECT_EQ(run({"backup", "--wait", "main"}).exit_code, 0);
  for (const char* command : {"check", "status", "show-servers", "replication-status"}) {
    run({command, "main"});
    run({"-f", "json", command, "main"});
  }
  run({"show-backup", "main", "latest"});
  printed_ += receiver.out() + receiver.err();
  expect_no_secret(kPassword);
  EXPECT_THAT(printed_, HasSubstr("*REDACTED*"));
}

TEST_F(Passwords, AreTakenFromThePasswordFile) {
  barman_.add_streaming_server("main", postgres_);
  const CommandResult without = run({"receive-wal", "--create-slot", "main"});
  EXPECT_EQ(without.exit_code, 1);
  EXPECT_THAT(without.err, HasSubstr("~/.pgpass"));
  const fs::path file = barman_.directory() / ".pgpass";
  write_text(file, std::string("*:*:*:*:") + kPassword + "\n");
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(run({"receive-wal", "--create-slot", "main"}).exit_code, 0);
  expect_no_secret(kPassword);
}

TEST(Privileges, OfReplicationAreMissing) {
  StreamingSite site;
  site.start_receiver();
  site.archive_a_segment();
  site.stop_receiver();
  site.postgres.query("ALTER ROLE streaming_barman NOREPLICATION");
  const CommandResult receiver = site.barman.run({"receive-wal", "main"});
  expect_refusal(receiver, "Impossible to start WAL streaming");
  EXPECT_THAT(receiver.err, HasSubstr("ALTER ROLE"));
  EXPECT_EQ(check_item(site.barman, "postgresql_streaming")["status"], "FAILED");
  expect_refusal(site.barman.run({"backup", "main"}), "Impossible to start the backup");
  EXPECT_TRUE(site.listed_backups().empty());
  site.postgres.query("ALTER ROLE streaming_barman REPLICATION");
  site.start_receiver();
  site.take_backup();
}

TEST(Privileges, OfBackupsAreMissing) {
  StreamingSite site;
  site.start_receiver();
  site.archive_a_segment();
  site.postgres.query("REVOKE ALL ON FUNCTION pg_backup_start(text, boolean) FROM barman");
  EXPECT_EQ(check_item(site.barman, "no_access_to_backup_functions")["status"], "FAILED");
  expect_refusal(site.barman.run({"backup", "main"}),
                 "Impossible to start the backup. Check the log for more details, or run 'barman "
                 "check main'");
  EXPECT_THAT(site.barman.log(),
              HasSubstr("privileges for PostgreSQL backup functions are required"));
  EXPECT_TRUE(site.listed_backups().empty());
  site.postgres.query("GRANT EXECUTE ON FUNCTION pg_backup_start(text, boolean) TO barman");
  site.take_backup();
}

TEST(Privileges, OfMonitoringAreMissing) {
  StreamingSite site;
  site.postgres.query("REVOKE pg_read_all_settings, pg_read_all_stats FROM barman");
  const CommandResult receiver = site.barman.run({"receive-wal", "main"});
  expect_refusal(receiver, "Impossible to start WAL streaming");
  EXPECT_THAT(receiver.err, AllOf(HasSubstr("'barman'"), HasSubstr("pg_monitor")));
}

// ------------------------------------------------------------------------------------------ slots

TEST(Slot, IsMissing) {
  StreamingSite site;
  EXPECT_EQ(site.barman.run({"receive-wal", "--drop-slot", "main"}).exit_code, 0);
  expect_refusal(site.barman.run({"receive-wal", "main"}),
                 "ArchiverFailure:replication slot 'barman' doesn't exist. Please execute 'barman "
                 "receive-wal --create-slot main'");
  expect_refusal(site.barman.run({"receive-wal", "--drop-slot", "main"}),
                 "Replication slot 'barman' does not exist");
  EXPECT_EQ(check_item(site.barman, "replication_slot")["hint"],
            "replication slot 'barman' doesn't exist. Please execute 'barman receive-wal "
            "--create-slot main'");
  // What the message says helps.
  EXPECT_EQ(site.barman.run({"receive-wal", "--create-slot", "main"}).exit_code, 0);
  site.start_receiver();
  expect_refusal(site.barman.run({"receive-wal", "--create-slot", "main"}),
                 "Replication slot 'barman' already exists");
}

TEST(Slot, IsInUseByAnotherProgram) {
  StreamingSite site;
  const TempDir place;
  BackgroundCommand other({.argv = {find_tool(site.postgres.major(), "pg_receivewal"), "--slot",
                                    "barman", "--directory", place.path(), "--dbname",
                                    site.postgres.conninfo("streaming_barman")}});
  site.postgres.wait_until("active FROM pg_replication_slots WHERE slot_name = 'barman'");
  expect_refusal(site.barman.run({"receive-wal", "main"}),
                 "ArchiverFailure:replication slot 'barman' is already in use");
  other.kill(SIGINT);
  ASSERT_TRUE(other.wait());
  site.postgres.wait_until("NOT active FROM pg_replication_slots WHERE slot_name = 'barman'");
  site.start_receiver();
}

TEST(Slot, CannotBeCreatedWhenThereAreTooMany) {
  PostgresServer postgres({.settings = {{"max_replication_slots", "1"}}});
  postgres.query("SELECT pg_create_physical_replication_slot('other')");
  BarmanHome barman;
  barman.add_streaming_server("main", postgres);
  const CommandResult result = barman.run({"receive-wal", "--create-slot", "main"});
  expect_refusal(result, "All replication slots for server 'main' are in use");
  EXPECT_THAT(result.err, HasSubstr("max_replication_slots"));
}

// ------------------------------------------------------------------------------------ WAL is gone

// A gap is never silent, and never bridged without being asked to.
void expect_gap_until_reset(StreamingSite& site, const std::string& reason) {
  const auto files = [&] {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(site.server_directory() / "streaming")) {
      names.push_back(entry.path().filename().string());
    }
    std::ranges::sort(names);
    return names;
  };
  const std::vector<std::string> before = files();
  const CommandResult result = site.barman.run({"receive-wal", "main"});
  expect_refusal(result, "ArchiverFailure:");
  EXPECT_THAT(result.err, HasSubstr(reason));
  EXPECT_THAT(result.err, HasSubstr("HINT: "));
  EXPECT_EQ(files(), before) << "files for WAL that has not come";
}

TEST(RemovedWal, IsReportedWithoutASlot) {
  StreamingSite site({.postgres = {.settings = {{"wal_keep_size", "0"},
                                                {"archive_mode", "on"},
                                                {"archive_command", "true"}}},
                      .server = {{"archiver", "on"}}});
  site.start_receiver();
  site.wait_until_acknowledged();
  site.stop_receiver();
  site.postgres.query("SELECT pg_drop_replication_slot('barman')");
  site.barman.set("main", "slot_name", "");
  let_wal_go(site.postgres);
  expect_gap_until_reset(site, "has already been removed");

  const CommandResult reset = site.barman.run({"receive-wal", "--reset", "main"});
  EXPECT_EQ(reset.exit_code, 0) << reset.err;
  site.start_receiver();
  site.archive_a_segment();
  site.take_backup();
}

TEST(RemovedWal, IsReportedWhenTheSlotWasInvalidated) {
  StreamingSite site(
      {.postgres = {.settings = {{"wal_keep_size", "0"}, {"max_slot_wal_keep_size", "1MB"}}}});
  site.start_receiver();
  site.wait_until_acknowledged();
  site.stop_receiver();
  let_wal_go(site.postgres);
  ASSERT_EQ(site.postgres.value("SELECT wal_status FROM pg_replication_slots"), "lost");
  expect_gap_until_reset(site, "barman");

  // The next step that a DBA takes: a new slot, a new beginning, a new backup.
  EXPECT_EQ(site.barman.run({"receive-wal", "--drop-slot", "main"}).exit_code, 0);
  EXPECT_EQ(site.barman.run({"receive-wal", "--create-slot", "main"}).exit_code, 0);
  EXPECT_EQ(site.barman.run({"receive-wal", "--reset", "main"}).exit_code, 0);
  site.start_receiver();
  site.archive_a_segment();
  site.take_backup();
}

// ---------------------------------------------------------------------------------- wrong cluster

TEST(OtherCluster, IsNotMixedIntoTheCatalogue) {
  StreamingSite site;
  site.start_receiver();
  site.archive_a_segment();
  const std::string backup = site.take_backup();
  site.stop_receiver();
  const std::string lost_before = site.lost_wal();
  PostgresServer other({.shape = {.wal_segment_megabytes = 1, .system_id = SystemId::own}});
  const std::string system_id = other.value("SELECT system_identifier FROM pg_control_system()");
  site.barman.set("main", "conninfo", other.conninfo("barman"));
  site.barman.set("main", "streaming_conninfo", other.conninfo("streaming_barman"));

  const CommandResult slot = site.barman.run({"receive-wal", "--create-slot", "main"});
  expect_refusal(slot, "the catalogue of server 'main' is of the cluster with system identifier ");
  EXPECT_THAT(slot.err, HasSubstr(", but PostgreSQL answers with " + system_id));
  EXPECT_EQ(other.value("SELECT count(*) FROM pg_replication_slots"), "0");
  other.query("SELECT pg_create_physical_replication_slot('barman')");

  const CommandResult receiver = site.barman.run({"receive-wal", "main"});
  expect_refusal(receiver, "Impossible to start WAL streaming");
  EXPECT_THAT(receiver.err, HasSubstr(system_id));
  EXPECT_EQ(check_item(site.barman, "systemid_coherence")["status"], "FAILED");
  expect_refusal(site.barman.run({"backup", "main"}), "");
  EXPECT_THAT(site.listed_backups(), ElementsAre(backup));
  EXPECT_EQ(site.lost_wal(), lost_before);

  // Only one of the two connections leads astray.
  site.barman.set("main", "conninfo", site.postgres.conninfo("barman"));
  expect_refusal(site.barman.run({"receive-wal", "main"}), "Impossible to start WAL streaming");
  expect_refusal(site.barman.run({"backup", "main"}), "");
  EXPECT_THAT(site.listed_backups(), ElementsAre(backup));
  EXPECT_EQ(site.backup_damage(backup), "");
}

// -------------------------------------------------------------------------------------- exit codes

TEST(ExitCodes, AreThoseOfBarman) {
  StreamingSite site;
  fs::create_directories(site.server_directory());
  EXPECT_EQ(site.barman.run({"backup", "--no-such-option", "main"}).exit_code, 2);
  EXPECT_EQ(site.barman.run({"no-such-command"}).exit_code, 2);
  EXPECT_EQ(site.barman.run({"restore", "main", "latest"}).exit_code, 2);
  const CommandResult unknown = site.barman.run({"backup", "nowhere"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("Unknown server 'nowhere'"));
  expect_refusal(site.barman.run({"delete", "main", "20200101T000000"}),
                 "Unknown backup '20200101T000000' for server 'main'");
  expect_refusal(site.barman.run({"delete", "main", ""}), "");
  EXPECT_EQ(site.barman.run({"get-wal", "main", "nonsense"}).exit_code, 3);
  EXPECT_EQ(site.barman.run({"get-wal", "main", "0000000100000000000000FE"}).exit_code, 1);
}

}  // namespace
}  // namespace barman::test
