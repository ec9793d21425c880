// kill -9 at any point: what was reported as done is done, what was acknowledged to PostgreSQL is
// in the catalogue, and the next command works. The points are system calls; BARMAN_SWEEP=full
// tries each of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <iterator>
#include <ostream>
#include <random>

#include "base/error.h"
#include "base/text.h"
#include "support/eventually.h"
#include "support/fault_injection.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"
#include "support/writer.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AnyOf;
using testing::Contains;
using testing::Eq;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;

constexpr int kKilled = 128 + SIGKILL;

void copy_tree(const fs::path& from, const fs::path& to) {
  // A process that cron has started may put something there meanwhile.
  EXPECT_TRUE(eventually([&] {
    std::error_code code;
    fs::remove_all(to, code);
    return !fs::exists(to);
  }));
  run_checked({.argv = {"cp", "-a", "--no-target-directory", from, to}});
}

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct SweptCall {
  const char* system_call;
  int points;  // without BARMAN_SWEEP=full
};

void PrintTo(const SweptCall& call, std::ostream* out) { *out << call.system_call; }

// ---------------------------------------------------------------------------------------- backup

class KilledBackup : public testing::TestWithParam<SweptCall> {
 protected:
  KilledBackup() {
    site_.postgres.query("CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 1000) g");
    site_.start_receiver();
    site_.archive_a_segment();
    site_.take_backup();
  }

  // A backup that says it is complete is; each other one is plainly not.
  void expect_honest_catalogue() {
    for (const std::string& id : site_.listed_backups()) {
      const std::string status = site_.status_of(id);
      EXPECT_THAT(status, AnyOf("EMPTY", "STARTED", "FAILED", "WAITING_FOR_WALS", "DONE"));
      if (status == "DONE" || status == "WAITING_FOR_WALS") {
        EXPECT_EQ(site_.backup_damage(id), "") << id << " is " << status;
      }
    }
  }

  StreamingSite site_;
};

std::string call_name(const testing::TestParamInfo<SweptCall>& info) {
  return info.param.system_call;
}

INSTANTIATE_TEST_SUITE_P(At, KilledBackup,
                         testing::Values(SweptCall{"openat", 3}, SweptCall{"fsync", 3},
                                         SweptCall{"rename", 5}),
                         call_name);

TEST_P(KilledBackup, LeavesAnHonestCatalogueAndTheNextOneWorks) {
  const std::string call = GetParam().system_call;
  const CommandRequest backup = site_.barman.request({"backup", "main"});
  const int calls = count_calls(backup, call);
  int killed = 0;
  for (const int n : choose_points(calls, GetParam().points)) {
    SCOPED_TRACE("killed at " + call + " number " + std::to_string(n));
    const std::vector<std::string> before = site_.listed_backups();
    const CommandResult result = run_command(with_fault(backup, {.system_call = call, .when = n}));
    if (result.exit_code == kKilled) ++killed;
    expect_honest_catalogue();
    const std::vector<std::string> after = site_.listed_backups();

    const std::string next = site_.take_backup();
    EXPECT_EQ(site_.status_of(next), "DONE");
    EXPECT_EQ(site_.backup_damage(next), "");
    if (after.size() > before.size()) {
      // The copy was complete: cron completes the rest.
      if (site_.status_of(after.front()) == "WAITING_FOR_WALS") {
        site_.barman.run({"check-backup", "main", after.front()});
      }
      EXPECT_THAT(site_.status_of(after.front()), AnyOf("FAILED", "DONE")) << "abandoned for ever";
    }
  }
  EXPECT_GE(killed, GetParam().points - 1) << "the faults have hit nothing";
}

class KilledBackupWhileCopying : public testing::Test {
 protected:
  KilledBackupWhileCopying() {
    site_.start_receiver();
    site_.archive_a_segment();
    BackgroundCommand backup(site_.barman.request({"backup", "--bwlimit", "2048", "main"}));
    const bool is_copying = eventually([&] {
      const auto ids = site_.barman.backup_ids("main");
      return !ids.empty() &&
             fs::exists(site_.server_directory() / "base" / ids.front() / "data" / "backup_label");
    });
    backup.kill(SIGKILL);
    EXPECT_TRUE(is_copying);
    EXPECT_EQ(backup.wait()->exit_code, kKilled);
    abandoned_ = site_.listed_backups().at(0);
    EXPECT_EQ(site_.status_of(abandoned_), "STARTED");
    // PostgreSQL ends the backup of a lost session.
    site_.postgres.wait_until("count(*) = 0 FROM pg_stat_progress_basebackup");
  }

  StreamingSite site_;
  std::string abandoned_;
};

TEST_F(KilledBackupWhileCopying, IsFailedByTheNextOneAndCanBeDeleted) {
  const std::string next = site_.take_backup();
  EXPECT_EQ(site_.status_of(abandoned_), "FAILED");
  EXPECT_EQ(site_.status_of(next), "DONE");
  const fs::path nowhere = site_.barman.directory() / "nowhere";
  const CommandResult restore = site_.barman.run({"restore", "main", abandoned_, nowhere});
  EXPECT_EQ(restore.exit_code, 1);
  EXPECT_THAT(restore.err, HasSubstr("backup status is not DONE"));
  EXPECT_FALSE(fs::exists(nowhere));
  EXPECT_EQ(site_.barman.run({"delete", "main", abandoned_}).exit_code, 0);
  EXPECT_THAT(site_.listed_backups(), testing::ElementsAre(next));
  EXPECT_EQ(site_.backup_damage(next), "");
}

TEST_F(KilledBackupWhileCopying, IsFailedByCron) {
  EXPECT_EQ(site_.barman.run({"cron"}).exit_code, 0);
  EXPECT_EQ(site_.status_of(abandoned_), "FAILED");
}

// ----------------------------------------------------------------------------------- receive-wal

// Commits whose WAL has been acknowledged before `lsn`.
std::vector<std::int64_t> acknowledged_ids(const PostgresServer& postgres,
                                           const std::vector<Commit>& commits,
                                           const std::string& lsn) {
  Session session(postgres.conninfo());
  std::vector<std::int64_t> ids;
  for (const Commit& commit : commits) {
    if (session.value("SELECT '" + commit.lsn + "'::pg_lsn <= '" + lsn + "'::pg_lsn") == "t") {
      ids.push_back(commit.id);
    }
  }
  return ids;
}

class KilledReceiver : public testing::Test {
 protected:
  // Writes a good megabyte, so that segments are completed all the time.
  void write_a_segment(int turn) {
    site_.postgres.query("CREATE TABLE IF NOT EXISTS bulk (turn int, text text)");
    site_.postgres.query("INSERT INTO bulk SELECT " + std::to_string(turn) +
                         ", repeat(md5(g::text), 10) FROM generate_series(1, 4000) g");
  }

  StreamingSite site_;
};

TEST_F(KilledReceiver, LosesNothingAcknowledgedWhereverItIsKilled) {
  // From now on the slot holds WAL back.
  site_.start_receiver();
  site_.wait_until_acknowledged();
  site_.stop_receiver();
  Writer writer(site_.postgres);
  int killed = 0;
  for (const char* call : {"pwrite64", "fsync", "rename", "fallocate", "openat", "fdatasync"}) {
    for (const int n : choose_points(12, 3)) {
      SCOPED_TRACE("killed at " + std::string(call) + " number " + std::to_string(n));
      const int first = std::string(call) == "openat" ? 30 : 0;  // those of the loader
      BackgroundCommand receiver(with_fault(site_.barman.request({"receive-wal", "main"}),
                                            {.system_call = call, .when = first + n}));
      for (int turn = 0; turn < 20 && receiver.is_running(); ++turn) {
        write_a_segment(turn);
        receiver.wait(std::chrono::milliseconds(100));
      }
      if (!receiver.is_running() && receiver.wait()->exit_code == kKilled) ++killed;
      receiver.kill_group(SIGKILL);
      receiver.wait();
      EXPECT_EQ(site_.lost_wal(), "");
    }
  }
  EXPECT_GE(killed, 9) << "the faults have hit nothing";
  site_.start_receiver();
  site_.wait_until_acknowledged();
  EXPECT_EQ(site_.lost_wal(), "");
}

TEST_F(KilledReceiver, KeepsEveryAcknowledgedCommitForARestore) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> pause(1, 400);

  Writer writer(site_.postgres);
  site_.start_receiver();
  site_.archive_a_segment();
  const std::string backup = site_.take_backup();
  for (int turn = 0; turn < 8; ++turn) {
    write_a_segment(turn);
    site_.receiver().wait(std::chrono::milliseconds(pause(random)));
    site_.receiver().kill(SIGKILL);
    ASSERT_TRUE(site_.receiver().wait());
    EXPECT_EQ(site_.lost_wal(), "") << "turn " << turn;
    if (turn % 2 == 0) {
      EXPECT_EQ(site_.barman.run({"archive-wal", "main"}).exit_code, 0);
    }
    EXPECT_EQ(site_.lost_wal(), "") << "archived in turn " << turn;
    site_.start_receiver();
  }
  // Also what is in the middle of a segment.
  site_.wait_until_acknowledged(writer.wait_for_commits(10).lsn);
  site_.receiver().kill(SIGKILL);
  ASSERT_TRUE(site_.receiver().wait());
  const std::string acknowledged = site_.acknowledged();
  const std::vector<Commit> commits = writer.stop();
  const std::vector<std::int64_t> expected =
      acknowledged_ids(site_.postgres, commits, acknowledged);
  ASSERT_GE(expected.size(), 30U);
  site_.postgres.kill_9();

  const fs::path destination = site_.barman.directory() / "restored";
  const CommandResult restore =
      site_.barman.run({"restore", "--partial-wal", "main", backup, destination});
  ASSERT_EQ(restore.exit_code, 0) << restore.out << restore.err;
  PostgresServer restored({.data_directory = destination});
  restored.wait_until_primary();
  EXPECT_THAT(written_ids(restored), IsSupersetOf(expected));
}

// ----------------------------------------------------------------------------------- archive-wal

class KilledArchiver : public testing::TestWithParam<SweptCall> {
 protected:
  // Some complete segments and a partial one in the streaming directory; every turn begins so.
  KilledArchiver() {
    site_.start_receiver();
    for (int segment = 0; segment < 4; ++segment) {
      site_.postgres.query("SELECT pg_create_restore_point('x'); SELECT pg_switch_wal()");
    }
    site_.wait_until_acknowledged();
    site_.stop_receiver();
    for (const auto& entry : fs::directory_iterator(site_.server_directory() / "streaming")) {
      const std::string name = entry.path().filename().string();
      if (!name.ends_with(".partial")) segments_[name] = bytes_of(entry.path());
    }
    copy_tree(site_.server_directory(), pristine_.path() / "main");
  }

  void begin_again() { copy_tree(pristine_.path() / "main", site_.server_directory()); }

  // Every segment is in one place at least, and what has its final name is complete.
  void expect_nothing_lost() {
    const auto archived = archived_wals(site_.barman, "main");
    for (const auto& [name, content] : segments_) {
      const fs::path received = site_.server_directory() / "streaming" / name;
      const auto found = archived.find(name);
      EXPECT_TRUE(fs::exists(received) || found != archived.end()) << name << " is lost";
      if (fs::exists(received)) {
        EXPECT_TRUE(bytes_of(received) == content) << received;
      }
      if (found != archived.end()) {
        EXPECT_TRUE(bytes_of(found->second) == content) << name;
      }
    }
    for (const std::string& name : indexed_wals(site_.barman, "main")) {
      EXPECT_TRUE(archived.contains(name)) << name << " is indexed and not there";
    }
  }

  void expect_all_archived_once() {
    const auto archived = archived_wals(site_.barman, "main");
    EXPECT_EQ(archived.size(), segments_.size()) << "something else is left in wals/";
    std::vector<std::string> names;
    for (const auto& [name, content] : segments_) {
      names.push_back(name);
      ASSERT_EQ(archived.count(name), 1U) << name;
      EXPECT_TRUE(bytes_of(archived.find(name)->second) == content) << name;
    }
    EXPECT_EQ(indexed_wals(site_.barman, "main"), names);
    const fs::path errors = site_.server_directory() / "errors";
    EXPECT_TRUE(!fs::exists(errors) || fs::is_empty(errors));
  }

  StreamingSite site_;
  TempDir pristine_;
  std::map<std::string, std::string> segments_;
};

INSTANTIATE_TEST_SUITE_P(At, KilledArchiver,
                         testing::Values(SweptCall{"openat", 6}, SweptCall{"link", 3},
                                         SweptCall{"rename", 4}, SweptCall{"fsync", 6},
                                         SweptCall{"write", 4}, SweptCall{"unlink", 3}),
                         call_name);

TEST_P(KilledArchiver, ArchivesEachSegmentExactlyOnceInTheEnd) {
  const std::string call = GetParam().system_call;
  const CommandRequest archive = site_.barman.request({"archive-wal", "main"});
  const int calls = count_calls(archive, call);
  ASSERT_GE(segments_.size(), 4U);
  expect_all_archived_once();
  ASSERT_GE(calls, 1) << "archive-wal does not call " << call;
  int killed = 0;
  const std::vector<int> points = choose_points(calls, GetParam().points);
  for (const int n : points) {
    SCOPED_TRACE("killed at " + call + " number " + std::to_string(n));
    begin_again();
    const CommandResult result = run_command(with_fault(archive, {.system_call = call, .when = n}));
    if (result.exit_code == kKilled) ++killed;
    expect_nothing_lost();
    const CommandResult again = run_command(archive);
    EXPECT_EQ(again.exit_code, 0) << again.out << again.err;
    EXPECT_EQ(again.err, "");
    expect_all_archived_once();
  }
  // strace counts the calls of each thread for itself, and which worker makes how many is chance:
  // the first call is hit always, a later one when a single thread makes as many.
  EXPECT_GE(killed, 1) << "no fault has hit anything";
}

// --------------------------------------------------------------------------------------- restore

class KilledRestore : public testing::TestWithParam<SweptCall> {
 protected:
  KilledRestore() : destination_(site_.barman.directory() / "restored") {
    site_.postgres.query("CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 1000) g");
    site_.start_receiver();
    site_.archive_a_segment();
    site_.take_backup();
    // Only in the WAL.
    site_.postgres.query("INSERT INTO t SELECT g FROM generate_series(1001, 2000) g");
    site_.archive_a_segment();
    site_.stop_receiver();
    expected_ = sorted_rows(site_.postgres, "t");
  }

  // It does not start, or it has everything.
  void expect_not_startable_as_if_complete() {
    if (!fs::exists(destination_ / "global" / "pg_control")) return;
    try {
      PostgresServer restored({.data_directory = destination_});
      restored.wait_until_primary();
      EXPECT_EQ(sorted_rows(restored, "t"), expected_) << "it has started without all rows";
    } catch (const Error&) {  // it does not start: as it should be
    }
  }

  StreamingSite site_;
  fs::path destination_;
  Rows expected_;
};

INSTANTIATE_TEST_SUITE_P(At, KilledRestore,
                         testing::Values(SweptCall{"openat", 5}, SweptCall{"fsync", 3},
                                         SweptCall{"rename", 3}, SweptCall{"mkdir", 2}),
                         call_name);

TEST_P(KilledRestore, NeverLooksComplete) {
  const std::string call = GetParam().system_call;
  const CommandRequest restore =
      site_.barman.request({"restore", "--target-tli", "1", "main", "latest", destination_});
  const int calls = count_calls(restore, call);
  int killed = 0;
  const std::vector<int> points = choose_points(calls, GetParam().points);
  for (const int n : points) {
    SCOPED_TRACE("killed at " + call + " number " + std::to_string(n));
    fs::remove_all(destination_);
    const CommandResult result = run_command(with_fault(restore, {.system_call = call, .when = n}));
    if (result.exit_code == kKilled) ++killed;
    expect_not_startable_as_if_complete();
  }
  EXPECT_GE(killed, 1) << "the faults have hit nothing";

  // What a killed restore left is not overwritten; emptied, the directory is as good as new.
  if (fs::exists(destination_) && !fs::is_empty(destination_)) {
    const CommandResult refused = run_command(restore);
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_THAT(refused.err, HasSubstr("is not empty"));
  }
  fs::remove_all(destination_);
  fs::create_directory(destination_);
  fs::permissions(destination_, fs::perms::owner_all);
  const CommandResult again = run_command(restore);
  ASSERT_EQ(again.exit_code, 0) << again.out << again.err;
  PostgresServer restored({.data_directory = destination_});
  restored.wait_until_primary();
  EXPECT_EQ(sorted_rows(restored, "t"), expected_);
}

// ---------------------------------------------------------------------------------------- delete

class KilledDelete : public testing::TestWithParam<SweptCall> {
 protected:
  KilledDelete() {
    site_.postgres.query("CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 1000) g");
    site_.start_receiver();
    site_.archive_a_segment();
    doomed_ = site_.take_backup();
    kept_ = site_.take_backup();
    site_.archive_a_segment();
    site_.stop_receiver();
    copy_tree(site_.server_directory(), pristine_.path() / "main");
  }

  void begin_again() { copy_tree(pristine_.path() / "main", site_.server_directory()); }

  // It is complete, or nobody can restore it.
  void expect_not_offered_when_damaged() {
    const fs::path nowhere = site_.barman.directory() / "nowhere";
    if (site_.backup_damage(doomed_).empty()) return;
    EXPECT_THAT(site_.listed_backups(), Not(Contains(doomed_)));
    EXPECT_EQ(site_.barman.run({"restore", "main", doomed_, nowhere}).exit_code, 1);
    EXPECT_FALSE(fs::exists(nowhere));
    EXPECT_THAT(site_.barman.run({"show-backup", "main", "first"}).out,
                HasSubstr("Backup " + kept_ + ":"));
  }

  void expect_only_the_other_backup() {
    EXPECT_THAT(site_.listed_backups(), testing::ElementsAre(kept_));
    EXPECT_EQ(site_.backup_damage(kept_), "");
    EXPECT_EQ(site_.barman.run({"check-backup", "main", kept_}).exit_code, 0);
    EXPECT_EQ(site_.status_of(kept_), "DONE");
    EXPECT_FALSE(fs::exists(site_.server_directory() / "base" / doomed_));
    for (const auto& entry : fs::directory_iterator(site_.server_directory() / "meta")) {
      EXPECT_THAT(entry.path().filename().string(), Not(HasSubstr(doomed_)));
    }
    std::vector<std::string> names;
    for (const auto& [name, path] : archived_wals(site_.barman, "main")) names.push_back(name);
    EXPECT_EQ(indexed_wals(site_.barman, "main"), names);
  }

  StreamingSite site_;
  TempDir pristine_;
  std::string doomed_;
  std::string kept_;
};

INSTANTIATE_TEST_SUITE_P(At, KilledDelete,
                         testing::Values(SweptCall{"unlinkat", 3}, SweptCall{"unlink", 4},
                                         SweptCall{"rename", 3}, SweptCall{"fsync", 4}),
                         call_name);

TEST_P(KilledDelete, IsCompletedByTheNextDeleteOrByCron) {
  const std::string call = GetParam().system_call;
  const CommandRequest request = site_.barman.request({"delete", "main", doomed_});
  const int calls = count_calls(request, call);
  if (calls == 0) GTEST_SKIP() << "delete does not call " << call;
  expect_only_the_other_backup();
  bool by_cron = false;
  for (const int n : choose_points(calls, GetParam().points)) {
    by_cron = !by_cron;
    SCOPED_TRACE("killed at " + call + " number " + std::to_string(n) + ", completed by " +
                 (by_cron ? "cron" : "delete"));
    begin_again();
    run_command(with_fault(request, {.system_call = call, .when = n}));
    expect_not_offered_when_damaged();
    // Cron begins no deletion that had not begun; delete knows nothing of one that was over.
    if (by_cron) {
      site_.barman.run({"cron"});
      if (!site_.backup_damage(doomed_).empty()) expect_only_the_other_backup();
    }
    const CommandResult again = run_command(request);
    if (again.exit_code != 0) {
      EXPECT_THAT(again.err, HasSubstr("Unknown backup"));
      site_.barman.run({"cron"});
    }
    expect_only_the_other_backup();
  }
}

}  // namespace
}  // namespace barman::test
