// Restores that find something in the destination: --delta-restore brings a data directory back to
// the state of the backup, --resume goes on with an interrupted restore; --dry-run only tells.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>

#include "support/fault_injection.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;

// A backup with a tablespace, and a place to restore it to.
struct DeltaSite : StreamingSite {
  DeltaSite()
      : StreamingSite(
            {.postgres = {.settings = {{"summarize_wal", "on"}}, .tablespaces = {"ts"}}}) {
    start_receiver();
    postgres.query(
        "CREATE TABLE here AS SELECT g AS id, repeat('x', 500) AS text "
        "FROM generate_series(1, 60000) g");
    postgres.query("CREATE TABLE there TABLESPACE ts AS SELECT generate_series(1, 1000) AS id");
    archive_a_segment();
    id = take_backup();
    archive_a_segment();
  }
  CommandResult restore(const std::vector<std::string>& options = {},
                        const std::string& backup = "last") {
    std::vector<std::string> arguments = {"restore", "--tablespace", "ts:" + tablespace.string()};
    arguments.insert(arguments.end(), options.begin(), options.end());
    arguments.insert(arguments.end(), {"main", backup, data.string()});
    return barman.run(arguments);
  }
  std::string relation(const std::string& table) const {
    return postgres.value("SELECT pg_relation_filepath('" + table + "')");
  }
  void expect_rows() {
    PostgresServer again({.data_directory = data});
    again.wait_until_primary();
    EXPECT_EQ(again.value("SELECT count(*) FROM here WHERE text = repeat('x', 500)"), "60000");
    EXPECT_EQ(again.value("SELECT count(*) FROM there"), "1000");
    EXPECT_EQ(again.value("SELECT count(*) FROM pg_class WHERE relname = 'later'"), "0");
  }

  TempDir place;
  fs::path data = place.path() / "data";
  fs::path tablespace = place.path() / "ts";
  std::string id;
};

TEST(DeltaRestore, BringsAChangedClusterBack) {
  DeltaSite site;
  ASSERT_EQ(site.restore().exit_code, 0);
  {
    PostgresServer changed({.data_directory = site.data});
    changed.wait_until_primary();
    changed.query("UPDATE here SET text = 'changed' WHERE id = 30000");
    changed.query("DELETE FROM there");
    changed.query("CREATE TABLE later AS SELECT 1");
    changed.query("CHECKPOINT");
  }
  write_text(site.data / "base/stray", "not of the backup");
  fs::create_directories(site.data / "base/99999");
  fs::create_symlink("/etc", site.data / "base/99999/link");

  // Not of this cluster: hidden files, and the tablespace of another version beside ours.
  write_text(site.data / ".notes", "mine");
  fs::create_directories(site.tablespace / "PG_15_202209061/5");
  write_text(site.tablespace / "PG_15_202209061/5/1259", "another cluster's");

  const CommandResult refused = site.restore();
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("is not empty"));
  const CommandResult delta = site.restore({"--delta-restore"});
  ASSERT_EQ(delta.exit_code, 0) << delta.err;
  // What it has written since is nowhere else.
  EXPECT_THAT(delta.err, HasSubstr("WAL file(s) that are not in the archive"));
  EXPECT_THAT(delta.out, HasSubstr(" were there already."));
  EXPECT_FALSE(fs::exists(site.data / "base/stray"));
  EXPECT_EQ(read_text(site.data / ".notes"), "mine");
  EXPECT_EQ(read_text(site.tablespace / "PG_15_202209061/5/1259"), "another cluster's");
  EXPECT_FALSE(fs::exists(fs::symlink_status(site.data / "base/99999")));
  EXPECT_TRUE(fs::exists("/etc/passwd"));
  EXPECT_FALSE(fs::exists(site.data / ".barman-restoring"));
  site.expect_rows();
}

TEST(DeltaRestore, RepairsFilesFromAnIncrementalBackup) {
  DeltaSite site;
  site.postgres.query("INSERT INTO there SELECT generate_series(1001, 1100)");
  site.postgres.query("DELETE FROM there WHERE id > 1000");
  ASSERT_EQ(site.barman.run({"backup", "--wait", "--incremental", "last", "main"}).exit_code, 0);
  site.archive_a_segment();
  ASSERT_EQ(site.restore().exit_code, 0);
  const fs::path file = site.data / site.relation("here");
  std::string content = read_text(file);
  content[100000] = static_cast<char>(content[100000] ^ 1);
  content += "longer";
  write_text(file, content);
  fs::resize_file(site.data / "PG_VERSION", 1);
  const CommandResult delta = site.restore({"--delta-restore"});
  ASSERT_EQ(delta.exit_code, 0) << delta.err;
  site.expect_rows();
}

TEST(DeltaRestore, DeletesNothingThatIsNoClusterOfThisBackup) {
  DeltaSite site;
  fs::create_directories(site.data);
  write_text(site.data / "thesis.txt", "the only copy");
  const CommandResult home = site.restore({"--delta-restore"});
  EXPECT_EQ(home.exit_code, 1);
  EXPECT_THAT(home.err, HasSubstr("is not a PostgreSQL data directory"));
  EXPECT_EQ(read_text(site.data / "thesis.txt"), "the only copy");
  fs::remove_all(site.data);

  PostgresServer other;
  other.stop();
  site.data = other.data_directory();
  const CommandResult foreign = site.restore({"--delta-restore"});
  EXPECT_EQ(foreign.exit_code, 1);
  EXPECT_THAT(foreign.err, HasSubstr("it belongs to another cluster"));
  other.start();
  const CommandResult running = site.restore({"--delta-restore"});
  EXPECT_EQ(running.exit_code, 1);
  EXPECT_THAT(running.err, HasSubstr("PostgreSQL runs on it"));
  other.query("SELECT 1");
}

TEST(DeltaRestore, NeverTouchesTheTablespacesOfARunningServer) {
  DeltaSite site;
  const std::string place = site.postgres.tablespace_directory("ts").string();
  const auto expect_refused = [&](const std::vector<std::string>& options,
                                  const std::string& reason) {
    std::vector<std::string> arguments = {"restore"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    arguments.insert(arguments.end(), {"main", "last", site.data.string()});
    const CommandResult refused = site.barman.run(arguments);
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_THAT(refused.err, HasSubstr(reason));
  };
  // Into a new directory, to where the tablespace was.
  expect_refused({"--delta-restore"}, "--tablespace 'ts:PLACE'");
  expect_refused({"--delta-restore", "--tablespace", "ts:" + place},
                 "is not empty. Do not empty it, the PostgreSQL server of '");
  EXPECT_FALSE(fs::exists(site.data));
  // A data directory that was copied with its links.
  ASSERT_EQ(site.restore().exit_code, 0);
  const fs::path link = site.data / "pg_tblspc" /
                        site.postgres.value("SELECT oid FROM pg_tablespace WHERE spcname = 'ts'");
  fs::remove(link);
  fs::create_directory_symlink(place, link);
  expect_refused({"--delta-restore"}, "which the running PostgreSQL server of");
  site.postgres.restart();
  EXPECT_EQ(site.postgres.value("SELECT count(*) FROM there"), "1000");
}

TEST(DeltaRestore, OverTheCrashedServerKeepsWhatOnlyItHas) {
  DeltaSite site;
  const fs::path data = site.postgres.data_directory();
  fs::create_directories(data / "inside/ts");
  site.postgres.query("CREATE TABLESPACE inside LOCATION '" + (data / "inside/ts").string() + "'");
  site.postgres.query(
      "CREATE TABLE within TABLESPACE inside AS SELECT generate_series(1, 7) AS id");
  site.take_backup();
  site.archive_a_segment();
  site.stop_receiver();
  site.postgres.query("CREATE TABLE later AS SELECT 1");
  const std::string newest = site.postgres.value("SELECT pg_walfile_name(pg_current_wal_lsn())");
  site.postgres.kill_9();
  write_text(data / "server.key", "the only one");

  const std::vector<std::string> restore = {"restore", "--delta-restore", "main", "last",
                                            data.string()};
  const CommandResult plan =
      site.barman.run({"restore", "--delta-restore", "--dry-run", "main", "last", data.string()});
  EXPECT_THAT(plan.out, AllOf(HasSubstr(data.string() + " (data directory)"),
                              HasSubstr((data / "inside/ts").string() + " (tablespace inside)"),
                              HasSubstr(" (tablespace ts)")));
  const CommandResult delta = site.barman.run(restore);
  ASSERT_EQ(delta.exit_code, 0) << delta.err;
  EXPECT_THAT(delta.err, AllOf(HasSubstr("WAL file(s) that are not in the archive"),
                               HasSubstr(newest), HasSubstr("'server.key'")));
  fs::path saved;
  for (const fs::directory_entry& entry : fs::directory_iterator(data)) {
    if (entry.path().filename().string().starts_with(".barman-saved-")) saved = entry.path();
  }
  EXPECT_TRUE(fs::exists(saved / "pg_wal" / (newest + ".partial")));
  EXPECT_EQ(read_text(saved / "server.key"), "the only one");

  // As the message says: what only that server had written comes back.
  const std::size_t begin = delta.err.find("run \"") + 5;
  const std::string command = delta.err.substr(begin, delta.err.find("\", then restore") - begin);
  const CommandResult put =
      run_command({.argv = {"/bin/sh", "-c", command},
                   .environment = site.barman.environment_for_restore_command()});
  ASSERT_EQ(put.exit_code, 0) << command << put.out << put.err;
  const CommandResult again = site.barman.run(restore);
  ASSERT_EQ(again.exit_code, 0) << again.err;
  site.postgres.start();
  EXPECT_EQ(site.postgres.value("SELECT count(*) FROM later"), "1");
  EXPECT_EQ(site.postgres.value("SELECT count(*) FROM within"), "7");
  EXPECT_EQ(site.postgres.value("SELECT count(*) FROM there"), "1000");
  site.postgres.stop();

  // The same into an empty directory.
  fs::remove_all(data);
  ASSERT_EQ(site.barman
                .run({"restore", "--tablespace", "ts:" + site.tablespace.string(), "main", "last",
                      data.string()})
                .exit_code,
            0);
  site.postgres.start();
  EXPECT_EQ(site.postgres.value("SELECT count(*) FROM within"), "7");
}

TEST(DeltaRestore, GoesOnAfterAFullDisk) {
  if (!Tmpfs::is_available()) GTEST_SKIP() << Tmpfs::kUnavailable;
  DeltaSite site;
  Tmpfs disk(std::uint64_t{300} << 20);
  site.data = disk.path() / "data";
  ASSERT_EQ(site.restore().exit_code, 0);
  // The large table is to be written again, and there is no place for it.
  fs::resize_file(site.data / site.relation("here"), 8192);
  disk.resize((std::uint64_t{300} << 20) - disk.free_bytes() + (std::uint64_t{4} << 20));
  const CommandResult full = site.restore({"--delta-restore"});
  EXPECT_EQ(full.exit_code, 1);
  EXPECT_THAT(full.err, AllOf(HasSubstr("No space left on device"), HasSubstr(site.data.string())));
  EXPECT_FALSE(fs::exists(site.data / "global/pg_control")) << "PostgreSQL could be started on it";

  const CommandResult still = site.restore({"--delta-restore"});
  EXPECT_EQ(still.exit_code, 1);
  disk.resize(std::uint64_t{300} << 20);
  const CommandResult again = site.restore({"--delta-restore"});
  ASSERT_EQ(again.exit_code, 0) << again.err;
  site.expect_rows();
}

TEST(ResumedRestore, GoesOnAfterAKill) {
  DeltaSite site;
  const CommandRequest request =
      site.barman.request({"restore", "--tablespace", "ts:" + site.tablespace.string(), "main",
                           "last", site.data.string()});
  const CommandResult killed =
      run_command(with_fault(request, {.system_call = "fsync", .when = 20}));
  ASSERT_EQ(killed.exit_code, 137) << killed.out << killed.err;
  ASSERT_TRUE(fs::exists(site.data / ".barman-restoring"));
  EXPECT_FALSE(fs::exists(site.data / "global/pg_control"));
  const CommandResult plain = site.restore();
  EXPECT_EQ(plain.exit_code, 1);
  EXPECT_THAT(plain.err, HasSubstr("--resume goes on with it"));
  const CommandResult elsewhere = site.barman.run({"restore", "--resume", "--tablespace",
                                                   "ts:" + (site.place.path() / "other").string(),
                                                   "main", "last", site.data.string()});
  EXPECT_EQ(elsewhere.exit_code, 1);
  EXPECT_THAT(elsewhere.err, HasSubstr("the interrupted restore in"));
  // Where it was begun, although that is not said again.
  const CommandResult resumed =
      site.barman.run({"restore", "--resume", "main", "last", site.data.string()});
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_THAT(resumed.out, HasSubstr(" were there already."));
  site.expect_rows();
}

TEST(ResumedRestore, NeedsAnInterruptedRestoreOfTheSameBackup) {
  DeltaSite site;
  const CommandResult nothing = site.restore({"--resume"});
  EXPECT_EQ(nothing.exit_code, 1);
  EXPECT_THAT(nothing.err, HasSubstr("it holds no interrupted restore"));
  fs::create_directories(site.data);
  write_text(site.data / ".barman-restoring", "server_name=main\nbackup_id=20200101T000000\n");
  const CommandResult other = site.restore({"--resume"});
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_THAT(other.err, HasSubstr("of backup '20200101T000000' of server 'main'"));
}

TEST(RestoreDryRun, TellsThePlanAndWritesNothing) {
  DeltaSite site;
  const CommandResult text = site.restore({"--dry-run"});
  ASSERT_EQ(text.exit_code, 0) << text.err;
  EXPECT_EQ(text.err, "");
  EXPECT_THAT(text.out,
              AllOf(HasSubstr("Dry run: restore of backup " + site.id), HasSubstr("To read"),
                    HasSubstr("Tablespace"), HasSubstr(site.tablespace.string()),
                    HasSubstr("Expected time"), HasSubstr("Nothing was written.")));
  EXPECT_FALSE(fs::exists(site.data));
  EXPECT_FALSE(fs::exists(site.tablespace));

  const CommandResult json =
      site.barman.run({"-f", "json", "restore", "--dry-run", "--tablespace",
                       "ts:" + site.tablespace.string(), "main", "last", site.data.string()});
  const nlohmann::json plan = nlohmann::json::parse(json.out);
  EXPECT_EQ(plan.at("backup_id"), site.id);
  EXPECT_GT(plan.at("bytes_to_write"), 30'000'000);
  EXPECT_FALSE(plan.at("wal").at("files").empty());
  const CommandResult refused = site.restore({"--dry-run"}, "20200101T000000");
  EXPECT_EQ(refused.exit_code, 1);
}

}  // namespace
}  // namespace barman::test
