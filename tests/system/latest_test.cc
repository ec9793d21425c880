// Restore to the latest moment when the machine of the primary is gone: what barman has
// acknowledged comes back, the unfinished segment included, without being asked for
// (docs/decisions/0006).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <optional>

#include <fmt/format.h>

#include "base/fd.h"
#include "base/file_lock.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"
#include "support/writer.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::Not;

std::vector<std::int64_t> ids_of(const std::vector<Commit>& commits) {
  std::vector<std::int64_t> ids;
  for (const Commit& commit : commits) ids.push_back(commit.id);
  return ids;
}

class Latest : public testing::Test {
 protected:
  Latest() {
    site_.postgres.query("ALTER SYSTEM SET synchronous_standby_names = 'barman_receive_wal'");
    site_.postgres.query("SELECT pg_reload_conf()");
    site_.start_receiver();
    Writer writer(site_.postgres);
    site_.archive_a_segment();
    backup_ = site_.take_backup();
    writer.wait_for_commits(10);
    site_.postgres.query("SELECT pg_switch_wal()");
    site_.barman.run({"archive-wal", "main"});
    writer.wait_for_commits(10);
    commits_ = writer.stop();
  }

  void lose_the_primary() {
    site_.receiver().kill(SIGKILL);
    site_.receiver().wait();
    site_.postgres.kill_9();
    fs::remove_all(site_.postgres.data_directory());
  }

  fs::path unfinished_segment() const {
    for (const auto& entry : fs::directory_iterator(site_.server_directory() / "streaming")) {
      if (entry.path().extension() == ".partial") return entry.path();
    }
    return {};
  }

  CommandResult restore(std::vector<std::string> options) {
    options.insert(options.begin(), "restore");
    options.insert(options.end(), {"main", backup_, destination().string()});
    CommandResult result = site_.barman.run(options);
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    return result;
  }

  // Starts what was restored, which must have all commits.
  void expect_everything_back() {
    PostgresServer restored({.data_directory = destination(),
                             .environment = site_.barman.environment_for_restore_command()});
    restored.wait_until_primary();
    restored.query("ALTER SYSTEM RESET synchronous_standby_names");
    restored.query("SELECT pg_reload_conf()");
    EXPECT_THAT(written_ids(restored), ElementsAreArray(ids_of(commits_)));
    restored.query("INSERT INTO writes SELECT max(id) + 1, 'x' FROM writes");
    restored.restart();
    EXPECT_EQ(written_ids(restored).size(), commits_.size() + 1);
  }

  fs::path destination() const { return site_.barman.directory() / "restored"; }

  StreamingSite site_;
  std::string backup_;
  std::vector<Commit> commits_;
};

TEST_F(Latest, ComesBackWithoutATarget) {
  lose_the_primary();
  const std::string partial = unfinished_segment().filename().string();
  const CommandResult result = restore({});
  EXPECT_THAT(result.out, HasSubstr("WAL segment '" + partial.substr(0, 24) +
                                    "' is not complete yet: what has arrived of it is taken from"));
  EXPECT_THAT(result.out, HasSubstr("Copying .partial WAL files."));
  EXPECT_EQ(result.err, "");
  EXPECT_FALSE(fs::exists(destination() / "recovery.signal"));
  expect_everything_back();
}

TEST_F(Latest, ComesBackWithATargetInTheUnfinishedSegment) {
  lose_the_primary();
  restore({"--target-xid", commits_.back().xid, "--target-action", "promote"});
  expect_everything_back();
}

TEST_F(Latest, ComesBackOnTheLatestTimeline) {
  lose_the_primary();
  restore({"--target-tli", "latest"});
  expect_everything_back();
}

TEST_F(Latest, ComesBackThroughGetWal) {
  lose_the_primary();
  restore({"--get-wal"});
  expect_everything_back();
}

TEST_F(Latest, ComesBackFromSegmentsThatNobodyHasArchived) {
  // Another archiver holds them up.
  const std::optional<FileLock> lock =
      FileLock::try_lock(site_.barman.home() / ".main-archive-wal.lock");
  ASSERT_TRUE(lock);
  for (int i = 0; i < 3; ++i) {
    commits_.push_back({.id = commits_.back().id + 1});
    site_.postgres.query(fmt::format("INSERT INTO writes VALUES ({}, 'x')", commits_.back().id));
    if (i < 2) site_.postgres.query("SELECT pg_switch_wal()");
  }
  lose_the_primary();
  restore({});
  expect_everything_back();
}

TEST_F(Latest, IsNotGivenToAStandby) {
  const std::string partial = unfinished_segment().filename().string();
  restore({"--standby-mode"});
  EXPECT_FALSE(fs::exists(destination() / "pg_wal" / partial.substr(0, 24)));
  fs::remove_all(destination());
  const CommandResult result = restore({"--standby-mode", "--get-wal"});
  EXPECT_THAT(read_text(destination() / "postgresql.auto.conf"),
              HasSubstr("restore_command = 'barman get-wal main %f > %p'"));
  EXPECT_THAT(result.out, Not(HasSubstr("Copying .partial")));
}

}  // namespace
}  // namespace barman::test
