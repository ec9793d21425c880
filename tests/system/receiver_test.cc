// What receive-wal does by itself: it archives at once, and does not keep commits waiting.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>

#include "base/file_lock.h"
#include "support/eventually.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

milliseconds time_of(const std::function<void()>& action) {
  const auto begin = Clock::now();
  action();
  return std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
}

std::string complete_a_segment(StreamingSite& site) {
  const std::string name =
      site.postgres.value("SELECT pg_walfile_name(pg_create_restore_point('x'))");
  site.postgres.query("SELECT pg_switch_wal()");
  return name;
}

TEST(Receiver, ArchivesASegmentAsSoonAsItIsComplete) {
  StreamingSite site({.server = {{"streaming_archiver_prompt", "on"}}});
  site.start_receiver();
  std::vector<std::string> names;
  for (const pid_t pid : list_processes(site.barman.configuration_file().string()))
    names.push_back(read_text(fs::path("/proc") / std::to_string(pid) / "comm"));
  EXPECT_THAT(names, ::testing::Contains("pg_receivewal\n"));
  for (int i = 0; i < 3; ++i) {
    const std::string name = complete_a_segment(site);
    EXPECT_TRUE(eventually([&] { return archived_wals(site.barman, "main").contains(name); }))
        << name;
  }
  site.stop_receiver();
}

TEST(Receiver, GoesOnWhileAHookKeepsTheArchiverBusy) {
  const TempDir place;
  const fs::path busy = place.path() / "busy";
  const fs::path go = place.path() / "go";
  StreamingSite site({.server = {{"streaming_archiver_prompt", "on"},
                                 {"pre_archive_script",
                                  fmt::format("touch {}; until test -e {}; do sleep 0.1; done",
                                              busy.string(), go.string())}}});
  site.start_receiver();
  const std::string first = complete_a_segment(site);
  const std::string second = complete_a_segment(site);
  ASSERT_TRUE(eventually([&] { return fs::exists(busy); }));
  site.wait_until_acknowledged();
  // The hook does not know of a lock that other commands need.
  EXPECT_EQ(site.barman.run({"list-backups", "main"}).exit_code, 0);
  EXPECT_THAT(archived_wals(site.barman, "main"), ::testing::IsEmpty());
  write_text(go, "");
  EXPECT_TRUE(eventually([&] { return archived_wals(site.barman, "main").contains(second); }));
  EXPECT_TRUE(archived_wals(site.barman, "main").contains(first));
  complete_a_segment(site);
  EXPECT_LT(time_of([&] { site.stop_receiver(); }), kPatience);
}

TEST(Receiver, ComesBackToWhatAnotherArchiverHasHeldUp) {
  StreamingSite site({.server = {{"streaming_archiver_prompt", "on"}}});
  const fs::path lock = site.barman.home() / ".main-archive-wal.lock";
  std::string name;
  {
    const auto held = FileLock::try_lock(lock);
    ASSERT_TRUE(held);
    site.start_receiver();
    name = complete_a_segment(site);
    // What its archiver says, which ends with that.
    EXPECT_TRUE(eventually([&] {
      return site.barman.log().find(
                 "Another archive-wal process is already running on server "
                 "main") != std::string::npos;
    }));
    EXPECT_FALSE(archived_wals(site.barman, "main").contains(name));
  }
  EXPECT_TRUE(eventually([&] { return archived_wals(site.barman, "main").contains(name); }));
}

// One after the other, so that each waits a whole turn of the receiver. What the machine does
// beside it can only add to a time. The receiver has connected before anybody waited for it.
milliseconds fastest_commit(const std::string& synchronous) {
  StreamingSite site({.server = {{"streaming_archiver_synchronous", synchronous}}});
  site.start_receiver();
  site.postgres.query("CREATE TABLE t (id int)");
  site.postgres.query("ALTER SYSTEM SET synchronous_standby_names = 'barman_receive_wal'");
  site.postgres.query("SELECT pg_reload_conf()");
  site.postgres.wait_until("sync_state = 'sync' FROM pg_stat_replication");
  milliseconds fastest = milliseconds::max();
  for (int i = 0; i < 5; ++i) {
    fastest = std::min(fastest, time_of([&] { site.postgres.query("INSERT INTO t VALUES (1)"); }));
  }
  return fastest;
}

TEST(Receiver, FlushesForCommitsWhenItIsToldTo) { EXPECT_LT(fastest_commit("on").count(), 700); }

TEST(Receiver, KeepsCommitsWaitingNoLongerThanASecond) {
  EXPECT_LT(fastest_commit("off").count(), 3000);
}

}  // namespace
}  // namespace barman::test
