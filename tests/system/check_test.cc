// `check` tells the truth about a receiver that is dead, frozen or another program, and one
// question that PostgreSQL does not answer fails one item. cron tells of the receiver what it
// finds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/file_lock.h"
#include "support/eventually.h"
#include "support/session.h"
#include "support/streaming_site.h"
#include "support/tcp_proxy.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Long enough for every item on a busy machine.
constexpr const char* kCheckTimeout = "10";

using Items = nlohmann::json;

Items check(BarmanHome& barman) {
  const CommandResult result =
      barman.run({"-f", "json", "check", "--check-timeout", kCheckTimeout, "main"});
  const Items answer = Items::parse(result.out, nullptr, false);
  if (answer.is_discarded() || !answer.contains("main")) {
    ADD_FAILURE() << result.out << result.err;
    return {};
  }
  return answer["main"];
}

std::string status_of(const Items& items, const std::string& key) {
  return items.contains(key) ? items[key]["status"].get<std::string>() : "absent";
}
std::string hint_of(const Items& items, const std::string& key) {
  return items.contains(key) ? items[key]["hint"].get<std::string>() : "absent";
}

const std::string kReceiver = "receive_wal_running";

fs::path receiver_lock(const StreamingSite& site) {
  return site.barman.home() / ".main-receive-wal.lock";
}

TEST(CheckedReceiver, ThatWasKilledLeavesALockFileThatProvesNothing) {
  StreamingSite site;
  site.start_receiver();
  EXPECT_EQ(status_of(check(site.barman), kReceiver), "OK");
  site.receiver().kill(SIGKILL);
  ASSERT_TRUE(site.receiver().wait());
  ASSERT_TRUE(fs::exists(receiver_lock(site)));

  const Items items = check(site.barman);
  EXPECT_EQ(status_of(items, kReceiver), "FAILED");
  EXPECT_THAT(hint_of(items, kReceiver),
              AllOf(StartsWith("See the Barman log file for more details"),
                    HasSubstr("its process has ended"), HasSubstr("barman cron")));

  const CommandResult cron = site.barman.run({"cron"});
  EXPECT_EQ(cron.exit_code, 0);
  EXPECT_THAT(cron.err, HasSubstr("WARNING: receive-wal for server 'main' is not running: its "
                                  "process has ended. It is started again"));
  EXPECT_THAT(site.barman.log(), HasSubstr("receive-wal for server 'main' is not running"));
  site.postgres.wait_until("(SELECT active FROM pg_replication_slots)");
  EXPECT_EQ(status_of(check(site.barman), kReceiver), "OK");
  EXPECT_EQ(site.barman.run({"cron"}).err, "") << "it runs now";
}

TEST(CheckedReceiver, IsNotAnyProcessThatHoldsTheLock) {
  StreamingSite site;
  BackgroundCommand holder({.argv = {"flock", "--no-fork", receiver_lock(site), "sleep", "60"}});
  ASSERT_TRUE(eventually([&] {
    return run_command({.argv = {"flock", "--nonblock", receiver_lock(site), "true"}}).exit_code !=
           0;
  }));
  // Without a process ID in the file only PostgreSQL knows.
  Items items = check(site.barman);
  EXPECT_EQ(status_of(items, kReceiver), "FAILED");
  EXPECT_THAT(hint_of(items, kReceiver),
              AllOf(HasSubstr("does not stream: replication slot 'barman' is not active"),
                    HasSubstr("barman terminate-process main receive-wal")));
  std::ofstream(receiver_lock(site), std::ios::in) << holder.pid() << "\n";
  items = check(site.barman);
  EXPECT_EQ(status_of(items, kReceiver), "FAILED");
  EXPECT_THAT(hint_of(items, kReceiver), HasSubstr("is 'sleep'"));
}

TEST(CheckedReceiver, ThatIsFrozenMakesNoProgress) {
  StreamingSite site;
  site.start_receiver();
  site.receiver().kill(SIGSTOP);
  site.postgres.query(
      "SELECT count(pg_logical_emit_message(false, 'x', repeat('y', 1000000)))"
      " FROM generate_series(1, 100)");
  site.postgres.query("SELECT pg_switch_wal()");
  Items items = check(site.barman);
  EXPECT_EQ(status_of(items, kReceiver), "FAILED");
  EXPECT_THAT(
      hint_of(items, kReceiver),
      AllOf(HasSubstr("process " + std::to_string(site.receiver().pid()) + " makes no progress"),
            HasSubstr("barman terminate-process main receive-wal")));
  EXPECT_THAT(site.barman.run({"cron"}).err,
              HasSubstr("WARNING: receive-wal for server 'main': process"));

  // The server gives up; the process and its lock stay.
  site.postgres.query("ALTER SYSTEM SET wal_sender_timeout = '1s'");
  site.postgres.query("SELECT pg_reload_conf()");
  site.postgres.wait_until("(SELECT NOT active FROM pg_replication_slots)");
  items = check(site.barman);
  EXPECT_EQ(status_of(items, kReceiver), "FAILED");
  EXPECT_THAT(hint_of(items, kReceiver), HasSubstr("holds the lock but does not stream"));
  const CommandResult cron = site.barman.run({"cron"});
  EXPECT_EQ(cron.exit_code, 0);
  EXPECT_THAT(cron.err, HasSubstr("holds the lock but does not stream"));

  site.receiver().kill(SIGCONT);
  site.postgres.wait_until("(SELECT active FROM pg_replication_slots)");
  EXPECT_EQ(status_of(check(site.barman), kReceiver), "OK");
}

TEST(CheckedReceiver, NeedsNoPostgresToBeFoundRunning) {
  StreamingSite site;
  site.start_receiver();
  site.postgres.stop(StopMode::immediate);
  const Items items = check(site.barman);
  EXPECT_EQ(status_of(items, "postgresql"), "FAILED");
  EXPECT_EQ(status_of(items, kReceiver), "OK") << "it waits for PostgreSQL";
}

TEST(CheckedReceiver, IsSeenWithoutASlotByItsName) {
  StreamingSite site;
  site.barman.set("main", "archiver", "on");  // the slot may be missing then
  site.barman.set("main", "slot_name", "");
  site.start_receiver();
  Items items = check(site.barman);
  EXPECT_EQ(status_of(items, kReceiver), "OK") << hint_of(items, kReceiver);
  site.barman.set("main", "streaming_archiver_name", "another_name");
  items = check(site.barman);
  EXPECT_EQ(status_of(items, kReceiver), "FAILED");
  EXPECT_THAT(hint_of(items, kReceiver),
              HasSubstr("PostgreSQL has no WAL sender for 'another_name'"));
}

TEST(CheckedReceiver, IsLookedForWhereWalComesFrom) {
  StreamingSite site;
  site.start_receiver();
  const PostgresServer other;
  site.barman.set("main", "wal_conninfo", other.conninfo("barman"));
  site.barman.set("main", "wal_streaming_conninfo", other.conninfo("streaming_barman"));
  Items items = check(site.barman);
  EXPECT_EQ(status_of(items, kReceiver), "FAILED") << "it streams from the wrong server";
  const std::string text = site.barman.run({"check", "main"}).out;
  for (const std::string label :
       {"has monitoring privileges", "PostgreSQL streaming", "wal_level"}) {
    EXPECT_THAT(text, HasSubstr("\t" + label + " (WAL streaming): OK")) << text;
  }
  EXPECT_THAT(text, HasSubstr("\tsystemid coherence (WAL streaming): FAILED (the system Id of the "
                              "connected PostgreSQL server changed"));
  EXPECT_THAT(text, HasSubstr("\treplication slot (WAL streaming): FAILED (replication slot "
                              "'barman' doesn't exist."));
  EXPECT_THAT(text, testing::Not(HasSubstr("\treplication slot: ")));
  site.barman.set("main", "wal_conninfo", site.postgres.conninfo("barman"));
  EXPECT_THAT(site.barman.run({"check", "main"}).out,
              HasSubstr("\tsystemid coherence (WAL streaming): FAILED (is the streaming DSN "
                        "targeting the same server"));
  // Slots are looked at where WAL is to stream from.
  items = check(site.barman);
  EXPECT_EQ(status_of(items, kReceiver), "FAILED") << "it streams from the wrong server";
  site.barman.set("main", "wal_streaming_conninfo", site.postgres.conninfo("streaming_barman"));
  items = check(site.barman);
  EXPECT_EQ(status_of(items, kReceiver), "OK") << hint_of(items, kReceiver);
}

// Questions that wait for a lock of somebody else.
class SlowAnswers : public testing::Test {
 protected:
  SlowAnswers()
      : site_(
            {.postgres = {.settings = {{"archive_mode", "on"}}}, .server = {{"archiver", "on"}}}) {
    site_.start_receiver();
    site_.archive_a_segment();
  }
  Session hold_settings() const {
    Session session(site_.postgres.conninfo());
    session.query("BEGIN; LOCK TABLE pg_catalog.pg_settings IN ACCESS EXCLUSIVE MODE");
    return session;
  }
  StreamingSite site_;
};

TEST_F(SlowAnswers, FailTheirItemsAndNoOther) {
  Items items = check(site_.barman);
  ASSERT_EQ(status_of(items, "wal_level"), "OK") << hint_of(items, "wal_level");
  ASSERT_EQ(status_of(items, "archive_mode"), "OK") << hint_of(items, "archive_mode");
  const Session holder = hold_settings();
  items = check(site_.barman);
  for (const std::string key : {"wal_level", "archive_mode"}) {
    EXPECT_EQ(status_of(items, key), "FAILED");
    EXPECT_THAT(hint_of(items, key), HasSubstr("canceling statement due to statement timeout"));
  }
  for (const std::string key : {"postgresql", "postgresql_streaming", "replication_slot",
                                "directories", "systemid_coherence", "receive_wal_running"})
    EXPECT_EQ(status_of(items, key), "OK") << key << ": " << hint_of(items, key);
  EXPECT_FALSE(items.contains("check_timeout")) << items;
}

TEST_F(SlowAnswers, ThatNeverComeAreGivenUp) {
  TcpProxy network(site_.postgres.port());
  site_.barman.set("main", "conninfo", network.conninfo("barman"));
  const Session holder = hold_settings();
  BackgroundCommand running =
      site_.barman.spawn({"-f", "json", "check", "--check-timeout", kCheckTimeout, "main"});
  site_.postgres.wait_until(
      "EXISTS (SELECT FROM pg_stat_activity WHERE usename = 'barman' AND wait_event_type = "
      "'Lock')");
  network.stall();  // not even the end of the statement is told
  const auto result = running.wait();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->exit_code, 1) << result->err;
  const Items items = Items::parse(result->out)["main"];
  EXPECT_EQ(status_of(items, "wal_level"), "FAILED");
  EXPECT_THAT(hint_of(items, "wal_level"), HasSubstr("PostgreSQL did not answer in time"));
  // The streaming connection leads elsewhere, and answers.
  EXPECT_EQ(status_of(items, "replication_slot"), "OK");
  EXPECT_EQ(status_of(items, kReceiver), "OK");
  for (const std::string key : {"directories", "systemid_coherence", "archiver_errors"})
    EXPECT_EQ(status_of(items, key), "OK") << key << ": " << hint_of(items, key);
  EXPECT_FALSE(items.contains("check_timeout")) << items;
}

TEST_F(SlowAnswers, NeverHoldTheWholeCheckLongerThanItsLimit) {
  TcpProxy network(site_.postgres.port());
  network.stall();
  site_.barman.set("main", "conninfo", network.conninfo("barman"));
  site_.barman.set("main", "streaming_conninfo", network.conninfo("streaming_barman"));
  const CommandResult result = site_.barman.run({"check", "--check-timeout", "5", "main"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, AllOf(HasSubstr("PostgreSQL: FAILED (connection to PostgreSQL"),
                                HasSubstr("directories: OK"), HasSubstr("archiver errors: OK"),
                                Not(HasSubstr("check timeout"))));
}

// Check shows it only when it is long.
TEST(CheckedQueue, IsShownWithItsReceiverAndPositions) {
  StreamingSite site({.server = {{"archiver", "on"}}});
  site.start_receiver();
  site.archive_a_segment();
  const fs::path incoming = site.server_directory() / "incoming";
  EXPECT_EQ(status_of(check(site.barman), "wal_queue"), "absent");
  const FileLock no_archiving = FileLock::lock(site.barman.home() / ".main-archive-wal.lock");
  for (int number = 0; number < 12; ++number) {
    write_text(incoming / fmt::format("0000000200000000000000{:02X}", number), "waits");
  }
  const Items items = check(site.barman);
  EXPECT_EQ(status_of(items, "wal_queue"), "OK");
  EXPECT_THAT(hint_of(items, "wal_queue"), HasSubstr("segments ("));
  EXPECT_THAT(site.barman.run({"status", "main"}).out,
              AllOf(HasSubstr("WAL receiver: running, streaming"), HasSubstr("flushed up to 0/"),
                    HasSubstr("WAL queue: 12 segments (60 B)")));
}

// A named pipe that nobody writes to would hold its reader for ever.
TEST(HangingFile, IsToldAndHoldsNobody) {
  StreamingSite site;
  site.start_receiver();
  site.archive_a_segment();
  site.barman.add_section("other", {{"conninfo", "host=/nowhere"},
                                    {"streaming_conninfo", "host=/nowhere"},
                                    {"backup_method", "postgres"},
                                    {"archiver", "on"}});
  const fs::path identity = site.server_directory() / "identity.json";
  fs::remove(identity);
  ASSERT_EQ(::mkfifo(identity.c_str(), 0600), 0);
  const CommandResult result = site.barman.run({"check", "--check-timeout", "2", "main", "other"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, AllOf(HasSubstr("\tdirectories: OK\n"),
                                HasSubstr("\tsystemid coherence: FAILED (cannot open \"" +
                                          identity.string() + "\": it is a FIFO"),
                                HasSubstr("Server other:\n\t")));
}

// Nobody sees what a process in the background says.
TEST(KeptReasons, OfProcessesInTheBackgroundAreTold) {
  BarmanHome barman;
  barman.add_section("main", {{"archiver", "on"},
                              {"backup_method", "postgres"},
                              {"conninfo", "host=127.0.0.1 port=1"},
                              {"streaming_conninfo", "host=127.0.0.1 port=1"}});
  const fs::path server = barman.server_directory("main");
  fs::create_directories(server / "incoming");
  const fs::path errors = server / "errors";
  write_text(errors, "in the way");
  write_text(server / "incoming" / "foreign", "x");
  const auto say = [&](const std::vector<std::string>& arguments) {
    return barman.run(arguments).out;
  };
  EXPECT_NE(barman.run({"archive-wal", "main"}).exit_code, 0);
  const std::string reason = errors.string();
  EXPECT_THAT(say({"check", "main"}),
              AllOf(HasSubstr("\tlast run of archive-wal: FAILED ("), HasSubstr(reason)));
  EXPECT_THAT(say({"status", "main"}), HasSubstr("\tLast failure of archive-wal: "));
  EXPECT_THAT(say({"show-servers", "main"}), HasSubstr("\tlast_failure_of_archive_wal: "));
  fs::remove(errors);
  EXPECT_EQ(barman.run({"archive-wal", "main"}).exit_code, 0);
  for (const char* command : {"check", "status", "show-servers"}) {
    EXPECT_THAT(say({command, "main"}), Not(HasSubstr("archive-wal: "))) << command;
    EXPECT_THAT(say({command, "main"}), Not(HasSubstr("last_failure"))) << command;
  }
}

// A loop of links stands for a disk that does not answer: not to know is not "nothing there".
TEST(CheckedDirectories, ThatCannotBeReadAreNotEmpty) {
  BarmanHome barman;
  barman.add_section("main", {{"archiver", "on"},
                              {"backup_method", "postgres"},
                              {"conninfo", "host=127.0.0.1 port=1"},
                              {"streaming_conninfo", "host=127.0.0.1 port=1"}});
  const fs::path server = barman.server_directory("main");
  fs::create_directories(server);
  for (const char* name : {"incoming", "streaming", "errors"}) {
    fs::create_directory_symlink(name, server / name);
  }
  const Items items = check(barman);
  for (const char* key :
       {"incoming_wals_directory", "streaming_wals_directory", "archiver_errors"}) {
    EXPECT_EQ(status_of(items, key), "FAILED") << key;
    EXPECT_THAT(hint_of(items, key), HasSubstr("Too many levels of symbolic links")) << key;
  }
}

// Whatever `backup` refuses, who watches `check` must see.
TEST(CheckedBackupMethod, IsToldWhenBackupWouldRefuseIt) {
  StreamingSite site({.server = {{"backup_method", "snapshot"},
                                 {"ssh_command", "false"},
                                 {"snapshot_provider", "gcp"},
                                 {"snapshot_instance", "i"},
                                 {"snapshot_disks", "d"},
                                 {"gcp_project", "p"},
                                 {"gcp_zone", "z"}}});
  const CommandResult backup = site.barman.run({"backup", "main"});
  EXPECT_THAT(backup.err, HasSubstr("backup_method = snapshot is not available"));
  const Items items = check(site.barman);
  EXPECT_EQ(status_of(items, "backup_method"), "FAILED");
  EXPECT_THAT(hint_of(items, "backup_method"),
              HasSubstr("backup_method = snapshot is not available in this version. Set "));
}

}  // namespace
}  // namespace barman::test
