// worm_mode: base backups and WAL on storage that lets nothing be changed after a grace time, the
// index of the WAL elsewhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/immutable_disk.h"
#include "support/streaming_site.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class Worm : public testing::Test {
 protected:
  void SetUp() override {
    if (!ImmutableDisk::is_available()) GTEST_SKIP() << ImmutableDisk::kUnavailable;
    disk_.emplace(std::uint64_t{700} << 20U);
    index_ = std::make_unique<TempDir>();
  }
  void begin(Settings more = {}) {
    more.insert({{"basebackups_directory", (disk_->path() / "base").string()},
                 {"wals_directory", (disk_->path() / "wals").string()},
                 {"xlogdb_directory", index_->path().string()},
                 {"worm_mode", "on"}});
    site_.emplace(StreamingSite::Options{.server = more});
    site_->postgres.query("CREATE TABLE t AS SELECT generate_series(1, 1000) AS id");
    site_->start_receiver();
    site_->archive_a_segment();
  }
  CommandResult run(const std::vector<std::string>& arguments) {
    return site_->barman.run(arguments);
  }
  std::string take_backup() {
    const CommandResult result = run({"backup", "--wait", "main"});
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    return site_->listed_backups().front();
  }
  fs::path base(const std::string& id) const { return disk_->path() / "base" / id; }
  std::string index() const { return read_text(index_->path() / "main-xlog.db"); }
  // The rows that a restored server has.
  std::string restored_count(const std::string& id) {
    const TempDir place;
    const CommandResult result = run({"restore", "main", id, (place.path() / "data").string()});
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    if (result.exit_code != 0) return "";
    PostgresServer server({.data_directory = place.path() / "data"});
    server.wait_until_primary();
    return server.value("SELECT count(*) FROM t");
  }

  std::optional<ImmutableDisk> disk_;
  std::unique_ptr<TempDir> index_;
  std::optional<StreamingSite> site_;
};

TEST_F(Worm, BackupsAndWalAreNeverChangedAndAreUsedAsEver) {
  begin({{"compression", "gzip"}});
  const CommandResult check = run({"check", "main"});
  EXPECT_EQ(check.exit_code, 0) << check.out << check.err;
  const CommandResult first = run({"backup", "--wait", "main"});
  ASSERT_EQ(first.exit_code, 0) << first.out << first.err;
  EXPECT_THAT(first.out, HasSubstr("'worm_mode' is enabled, skip purging of unused WAL files."));
  const std::string one = site_->listed_backups().front();
  EXPECT_GT(disk_->freeze(), 100U);
  // What follows finds everything immutable.
  site_->archive_a_segment();
  EXPECT_EQ(run({"keep", "--target", "full", "main", one}).exit_code, 0);
  EXPECT_EQ(run({"keep", "--release", "main", one}).exit_code, 0);
  EXPECT_EQ(run({"check-backup", "main", one}).exit_code, 0);
  EXPECT_EQ(run({"verify-backup", "main", one}).exit_code, 0);
  const std::string two = take_backup();
  disk_->freeze();
  EXPECT_EQ(restored_count(one), "1000");
  const CommandResult rebuilt = run({"rebuild-xlogdb", "main"});
  EXPECT_EQ(rebuilt.exit_code, 0) << rebuilt.err;
  site_->archive_a_segment();
  EXPECT_EQ(run({"cron"}).exit_code, 0);
  const CommandResult whole = run({"catalogue-check", "--deep", "main"});
  EXPECT_EQ(whole.exit_code, 0) << whole.out << whole.err;
  EXPECT_EQ(restored_count(two), "1000");
  EXPECT_THAT(site_->barman.log(), Not(HasSubstr("Operation not permitted")));
}

TEST_F(Worm, WhatIsImmutableStaysUntilItsTimeIsOver) {
  begin();
  const std::string one = take_backup();
  site_->archive_a_segment();
  const std::string two = take_backup();
  site_->archive_a_segment();
  const std::string three = take_backup();
  site_->archive_a_segment();
  disk_->freeze();
  const std::string index_before = index();

  // By hand, be it by mistake: it stays a backup that can be restored.
  const CommandResult refused = run({"delete", "main", one});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("Backup " + one +
                                           " of server main is still immutable, and stays as "
                                           "it was: cannot remove "),
                                 HasSubstr("Operation not permitted"),
                                 HasSubstr("HINT: The storage lets it go when its time is over."),
                                 HasSubstr("Cannot delete backup (main " + one + ")")));
  EXPECT_EQ(index(), index_before);
  EXPECT_EQ(run({"verify-backup", "main", one}).exit_code, 0);
  EXPECT_EQ(restored_count(one), "1000");

  // By the policy: the second one can go, the first one stays for now.
  site_->barman.set("main", "retention_policy", "REDUNDANCY 1");
  disk_->thaw(base(two));
  const CommandResult cron = run({"cron"});
  EXPECT_EQ(cron.exit_code, 0) << cron.err;
  EXPECT_THAT(cron.out,
              HasSubstr("Backup " + one + " of server main is still immutable, and stays"));
  EXPECT_THAT(site_->listed_backups(), ElementsAre(three, one));
  EXPECT_EQ(restored_count(one), "1000");

  // The backup can go now, its WAL cannot: it stays, and the index knows it.
  disk_->thaw(base(one));
  EXPECT_EQ(run({"cron"}).exit_code, 0);
  EXPECT_THAT(site_->listed_backups(), ElementsAre(three));
  EXPECT_FALSE(fs::exists(base(one)));
  EXPECT_EQ(index(), index_before);
  EXPECT_THAT(site_->barman.log(),
              HasSubstr("cannot be removed yet, and stay until WAL is removed again"));
  EXPECT_EQ(run({"catalogue-check", "main"}).exit_code, 0);

  // With the next deletion it goes.
  disk_->thaw(disk_->path());
  const std::string four = take_backup();
  const CommandResult last = run({"cron"});
  EXPECT_EQ(last.exit_code, 0) << last.err;
  EXPECT_THAT(site_->listed_backups(), ElementsAre(four));
  const std::string begin = read_backup_info(site_->barman, "main", four).at("begin_wal");
  EXPECT_THAT(index(), testing::StartsWith(begin));
  const CommandResult whole = run({"catalogue-check", "--deep", "main"});
  EXPECT_EQ(whole.exit_code, 0) << whole.out << whole.err;
  EXPECT_EQ(restored_count(four), "1000");
}

// A part of the backup is gone: nobody can restore it, and the next cron ends the work.
TEST_F(Worm, ADeletionThatHasBegunIsEndedLater) {
  begin();
  const std::string one = take_backup();
  site_->archive_a_segment();
  const std::string two = take_backup();
  disk_->freeze(base(one) / "data" / "base");
  // The newest file is the one that tells; making others immutable has touched them, in the same
  // tick of the clock perhaps.
  const auto touched = [newest = base(one) / "newest"] {
    write_text(newest, "x");
    struct stat status = {};
    EXPECT_EQ(::lstat(newest.c_str(), &status), 0);
    return std::pair(status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
  };
  const auto same_tick = touched();
  ASSERT_TRUE(eventually([&] { return touched() > same_tick; }));
  const CommandResult refused = run({"delete", "main", one});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("is still immutable in parts, and others are gone: "));
  const TempDir place;
  EXPECT_NE(run({"restore", "main", one, (place.path() / "data").string()}).exit_code, 0);
  disk_->thaw(base(one));
  EXPECT_EQ(run({"cron"}).exit_code, 0);
  EXPECT_THAT(site_->listed_backups(), ElementsAre(two));
  EXPECT_FALSE(fs::exists(base(one)));
}

// The grace time is shorter than the backup: what is complete is frozen while the rest comes.
TEST_F(Worm, ABackupMayLastLongerThanTheGraceTime) {
  begin({{"bandwidth_limit", "3000"}});
  BackgroundCommand backup = site_->barman.spawn({"backup", "--wait", "main"});
  std::size_t frozen = 0;
  ASSERT_TRUE(eventually(
      [&] {
        if (backup.is_running()) frozen += disk_->freeze(disk_->path(), std::chrono::seconds(3));
        return !backup.is_running();
      },
      kCommandTimeout));
  const auto ended = backup.wait();
  ASSERT_TRUE(ended);
  ASSERT_EQ(ended->exit_code, 0) << ended->out << ended->err;
  EXPECT_GT(frozen, 10U);
  const std::string id = site_->listed_backups().front();
  EXPECT_EQ(site_->status_of(id), "DONE");
  EXPECT_EQ(run({"verify-backup", "main", id}).exit_code, 0);
}

// A backup that was killed leaves files that cannot go.
TEST_F(Worm, AnAbandonedBackupHindersNobody) {
  begin();
  const std::string one = take_backup();
  site_->barman.set("main", "bandwidth_limit", "2000");
  BackgroundCommand killed = site_->barman.spawn({"backup", "main"});
  ASSERT_TRUE(eventually([&] {
    const fs::path base = disk_->path() / "base";
    for (const fs::directory_entry& entry : fs::directory_iterator(base)) {
      if (entry.path().filename() != one && fs::exists(entry.path() / "data" / "base")) return true;
    }
    return false;
  }));
  killed.kill_group(SIGKILL);
  ASSERT_TRUE(killed.wait());
  disk_->freeze();
  site_->barman.set("main", "bandwidth_limit", "");
  site_->barman.set("main", "retention_policy", "REDUNDANCY 1");
  const std::string three = take_backup();
  const CommandResult cron = run({"cron"});
  EXPECT_EQ(cron.exit_code, 0) << cron.err;
  EXPECT_EQ(site_->status_of(three), "DONE");
  disk_->thaw(disk_->path());
  EXPECT_EQ(run({"cron"}).exit_code, 0);
  std::vector<std::string> left = site_->listed_backups();
  EXPECT_THAT(left, testing::Contains(three));
  EXPECT_EQ(restored_count(three), "1000");
}

}  // namespace
}  // namespace barman::test
