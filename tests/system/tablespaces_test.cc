// Which tablespaces a backup has is what the server sends, and DONE means that it can be restored:
// tablespaces that come and go while the backup waits for its checkpoint, in place, with long
// locations; files of users with the names of others; chains that have lost a part.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/eventually.h"
#include "support/incremental_site.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;

void expect_restorable(IncrementalSite& site, const std::string& id) {
  const auto rows = all_rows(site.postgres);
  const CommandResult verified = site.barman.run({"verify-backup", "main", id});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  const Restored restored(site, id);
  ASSERT_EQ(restored.result.exit_code, 0) << restored.result.out << restored.result.err;
  const PostgresServer copy(
      {.settings = {{"allow_in_place_tablespaces", "on"}}, .data_directory = restored.data});
  EXPECT_EQ(all_rows(copy), rows);
}

TEST(Tablespaces, ThatComeAndGoBeforeTheCheckpointAreAsTheServerSays) {
  IncrementalSite site;
  site.make_tablespace("gone");
  // Much to write, and five minutes of time for it.
  site.postgres.query(
      "CREATE TABLE much AS SELECT g, repeat('m', 700) FROM generate_series(1, 30000) g");
  site.barman.set("main", "immediate_checkpoint", "false");
  BackgroundCommand backup = site.barman.spawn({"backup", "--wait", "main"});
  site.postgres.wait_until(
      "EXISTS (SELECT FROM pg_stat_progress_basebackup "
      "WHERE phase = 'waiting for checkpoint to finish')");
  site.postgres.query("DROP TABLESPACE gone");
  site.make_tablespace("late");
  site.postgres.query(
      "CREATE TABLE in_late TABLESPACE late AS SELECT generate_series(1, 1000) AS id");
  site.postgres.query("CHECKPOINT");
  const auto result = backup.wait();
  ASSERT_TRUE(result);
  ASSERT_EQ(result->exit_code, 0) << result->out << result->err;
  const std::string id = site.listed_backups().front();
  // Creation behind the start of the backup is replayed: that is the next test.
  const bool is_replayed =
      Restored(site, id).result.err.find("The WAL creates tablespace") != std::string::npos;
  if (!is_replayed) expect_restorable(site, id);
}

// Recovery repeats the creation where the server had it, and the server still runs there.
TEST(Tablespaces, OfTheServerAreNotWrittenWhenTheirCreationIsReplayed) {
  IncrementalSite site;
  const std::string id = site.take_backup();
  site.make_tablespace("late");
  site.postgres.query(
      "CREATE TABLE in_late TABLESPACE late AS SELECT generate_series(1, 1000) AS id");
  site.archive_a_segment();
  const fs::path location = site.postgres.tablespace_directory("late");
  const auto rows = all_rows(site.postgres);
  const TempDir place;
  const fs::path data = place.path() / "data";
  const std::vector<std::string> arguments = {
      "restore", "--tablespace", "ts:" + (place.path() / "ts").string(), "main", id, data.string()};
  const CommandResult refused = site.barman.run(arguments);
  EXPECT_EQ(refused.exit_code, 1) << refused.out;
  EXPECT_THAT(refused.err, AllOf(HasSubstr("The WAL creates tablespace"),
                                 HasSubstr("\"" + location.string() + "\""),
                                 HasSubstr("which recovery would write into")));
  EXPECT_FALSE(fs::exists(data));
  // A recovery that ends before is none of its business.
  std::vector<std::string> immediate = arguments;
  immediate.insert(immediate.begin() + 1, {"--target-immediate", "--dry-run"});
  EXPECT_EQ(site.barman.run(immediate).exit_code, 0);

  site.postgres.stop();
  fs::rename(location, location.string() + ".old");
  fs::create_directory(location);
  const CommandResult restored = site.barman.run(arguments);
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  EXPECT_THAT(restored.err, HasSubstr("The WAL creates tablespace"));
  const PostgresServer copy({.data_directory = data});
  EXPECT_EQ(all_rows(copy), rows);
}

TEST(Tablespaces, WithLongLocationsAndFilesWithBorrowedNamesAreRestored) {
  IncrementalSite site;
  const fs::path location =
      site.postgres.tablespace_directory("x").parent_path() / std::string(110, 'l');
  fs::create_directories(location);
  site.postgres.query("CREATE TABLESPACE far LOCATION '" + location.string() + "'");
  site.postgres.query(
      "CREATE TABLE in_far TABLESPACE far AS SELECT generate_series(1, 1000) AS id");
  write_text(site.postgres.data_directory() / "INCREMENTAL.notes", "of a user");
  const std::string full = site.take_backup();
  site.postgres.query("UPDATE changing SET text = 'new' WHERE id % 100 = 0");
  const std::string incremental = site.take_incremental(full);
  expect_restorable(site, full);
  expect_restorable(site, incremental);
  const std::string next = site.take_incremental(incremental);

  // The root loses its files: nothing can build on the chain any more, and the words find none.
  fs::rename(site.base(full) / "data", site.base(full) / "elsewhere");
  for (const std::string& parent : {next, std::string("latest"), full}) {
    const CommandResult refused =
        site.barman.run({"backup", "--wait", "--incremental", parent, "main"});
    EXPECT_NE(refused.exit_code, 0) << parent;
    EXPECT_THAT(refused.err, AllOf(HasSubstr(full), HasSubstr("/data"))) << parent;
  }
  EXPECT_EQ(site.listed_backups().size(), 3U);
  const TempDir place;
  const CommandResult automatic =
      site.barman.run({"restore", "main", "auto", (place.path() / "data").string()});
  EXPECT_EQ(automatic.exit_code, 1);
  EXPECT_THAT(automatic.err,
              AllOf(HasSubstr("Cannot find any candidate backup for recovery"),
                    HasSubstr("Backup " + next + " is passed over, it cannot be restored: "),
                    HasSubstr("Backup " + full + " is passed over")));
}

TEST(Tablespaces, InPlaceAreRestoredFromArchives) {
  IncrementalSite site(kUsualMajor, {{"backup_compression", "gzip"}});
  site.postgres.query("ALTER SYSTEM SET allow_in_place_tablespaces = on");
  site.postgres.query("SELECT pg_reload_conf()");
  site.postgres.wait_until("current_setting('allow_in_place_tablespaces') = 'on'");
  site.postgres.query("CREATE TABLESPACE inside LOCATION ''");
  site.postgres.query(
      "CREATE TABLE within TABLESPACE inside AS SELECT generate_series(1, 5000) AS id");
  const std::string id = site.take_backup();
  const CommandResult verified = site.barman.run({"verify-backup", "main", id});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  const TempDir place;
  const CommandResult result =
      site.barman.run({"restore", "--tablespace", "ts:" + (place.path() / "ts").string(), "main",
                       id, (place.path() / "data").string()});
  ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  const PostgresServer copy({.data_directory = place.path() / "data"});
  EXPECT_EQ(all_rows(copy), all_rows(site.postgres));
}

}  // namespace
}  // namespace barman::test
