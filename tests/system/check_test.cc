// `check` tells the truth about a receiver that is dead, frozen or another program, and one
// question that PostgreSQL does not answer fails one item. cron tells of the receiver what it
// finds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

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
  StreamingSite site({.server = {{"archiver", "on"}}});
  site.start_receiver();
  site.archive_a_segment();
  const fs::path incoming = site.server_directory() / "incoming";
  EXPECT_EQ(status_of(check(site.barman), "WAL_queue"), "absent");
  const FileLock no_archiving = FileLock::lock(site.barman.home() / ".main-archive-wal.lock");
  for (int number = 0; number < 12; ++number) {
    write_text(incoming / fmt::format("0000000200000000000000{:02X}", number), "waits");
  }
  const Items items = check(site.barman);
  EXPECT_EQ(status_of(items, "WAL_queue"), "OK");
  EXPECT_THAT(hint_of(items, "WAL_queue"), HasSubstr("segments ("));
  EXPECT_THAT(site.barman.run({"status", "main"}).out,
              AllOf(HasSubstr("WAL receiver: running, streaming"), HasSubstr("flushed up to 0/"),
                    HasSubstr("WAL queue: 12 segments (60 B)")));
}

}  // namespace
}  // namespace barman::test
