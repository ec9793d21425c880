// Block-level incremental backups of PostgreSQL 17 and newer: chains are taken, listed, restored
// and judged by PostgreSQL's own pg_combinebackup and pg_verifybackup; what does not fit is
// refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <random>

#include "support/catalogue_files.h"
#include "support/incremental_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;

// Files that a restore makes, changes or leaves out on purpose.
bool is_of_the_restore(const std::string& path) {
  return path.starts_with("backup_manifest") || path.ends_with(".origin") ||
         path.starts_with("pg_wal/") || path == ".barman-recover.info" ||
         path == "postgresql.auto.conf" || path == "postgresql.conf" ||
         path.starts_with("pg_tblspc/");
}

std::map<std::string, std::string> files_below(const fs::path& root) {
  std::map<std::string, std::string> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root)) {
    const std::string path = entry.path().lexically_relative(root).string();
    if (!is_of_the_restore(path))
      files[path] = entry.is_regular_file() ? read_text(entry) : "directory";
  }
  return files;
}

void expect_same_files(const fs::path& ours, const fs::path& theirs) {
  const std::map<std::string, std::string> left = files_below(ours);
  const std::map<std::string, std::string> right = files_below(theirs);
  for (const auto& [path, content] : right) {
    const auto found = left.find(path);
    if (found == left.end()) {
      ADD_FAILURE() << path << " was not restored";
    } else if (found->second != content) {
      ADD_FAILURE() << path << " differs: " << found->second.size() << " bytes instead of "
                    << content.size();
    }
  }
  for (const auto& file : left) EXPECT_TRUE(right.contains(file.first)) << file.first;
}

// PostgreSQL's own tool finds what the manifest says.
void expect_verified(const fs::path& data, const std::string& id) {
  run_checked(
      {.argv = {find_tool(kUsualMajor, "pg_verifybackup"), "--no-parse-wal", "--manifest-path",
                (data / ("backup_manifest." + id)).string(), "--ignore=.barman-recover.info",
                "--ignore=tablespace_map", "--ignore=postgresql.conf",
                "--ignore=postgresql.conf.origin", "--ignore=postgresql.auto.conf.origin",
                "--ignore=backup_manifest." + id, data.string()}});
}

// What pg_combinebackup makes of the same chain, oldest first.
struct Combined {
  Combined(const IncrementalSite& site, const std::vector<std::string>& chain)
      : data(place.path() / "data") {
    std::vector<std::string> arguments = {find_tool(site.postgres.major(), "pg_combinebackup")};
    for (const std::string& id : chain) arguments.push_back((site.base(id) / "data").string());
    for (const Row& row : site.tablespaces()) {
      const fs::path stored = site.base(chain.back()) / row[1];
      arguments.push_back("--tablespace-mapping=" + stored.string() + "=" +
                          tablespace(row[0]).string());
    }
    arguments.push_back("--output=" + data.string());
    run_checked({.argv = arguments});
  }
  fs::path tablespace(const std::string& name) const { return place.path() / name; }
  TempDir place;
  fs::path data;
};

// One change of the database, chosen at random.
void change_something(IncrementalSite& site, std::mt19937& random) {
  PostgresServer& postgres = site.postgres;
  const auto number = [&](int limit) {
    return std::to_string(random() % static_cast<unsigned>(limit));
  };
  static int names = 0;
  const std::string name = "made_" + std::to_string(++names);
  switch (random() % 11) {
    case 0:
      postgres.query("UPDATE changing SET text = repeat('u', 400) WHERE id % 997 = " + number(997));
      break;
    case 1:
      postgres.query("DELETE FROM changing WHERE id > (SELECT max(id) FROM changing) - 3000");
      postgres.query("VACUUM changing");  // gives the end of the file back
      break;
    case 2:
      postgres.query("VACUUM FULL there");
      break;
    case 3:
      postgres.query(
          "INSERT INTO changing SELECT g, repeat('i', 500) FROM generate_series((SELECT "
          "max(id) + 1 FROM changing), (SELECT max(id) + 2000 FROM changing)) g");
      break;
    case 4:
      postgres.query("CREATE TABLE " + name + " AS SELECT g AS id FROM generate_series(1, 3000) g");
      break;
    case 5:
      postgres.query("CREATE UNLOGGED TABLE " + name +
                     " AS SELECT g AS id FROM generate_series(1, 3000) g");
      break;
    case 6:
      postgres.query("CREATE DATABASE " + name);
      if (random() % 2 == 0) postgres.query("DROP DATABASE " + name);
      break;
    case 7:
      postgres.query("TRUNCATE there");
      postgres.query("INSERT INTO there SELECT g, 'again' FROM generate_series(1, " + number(9000) +
                     ") g");
      break;
    case 8:
      site.make_tablespace(name);
      postgres.query("CREATE TABLE in_" + name + " TABLESPACE " + name +
                     " AS SELECT g AS id FROM generate_series(1, 3000) g");
      if (random() % 3 == 0) {
        postgres.query("DROP TABLE in_" + name);
        postgres.query("DROP TABLESPACE " + name);
      }
      break;
    case 9:
      site.promote();
      break;
    default:
      postgres.query("UPDATE there SET text = repeat('v', 200) WHERE id % 13 = " + number(13));
      postgres.query("CHECKPOINT");
  }
}

class IncrementalBackup : public testing::TestWithParam<int> {};

TEST_P(IncrementalBackup, ComesBackWithAllItsRowsFromAChain) {
  IncrementalSite site(GetParam());
  const std::string full = site.take_backup();
  site.postgres.query("UPDATE changing SET text = 'first' WHERE id <= 100");
  const std::string first = site.take_incremental("last");
  site.postgres.query("UPDATE there SET text = 'second' WHERE id <= 100");
  const std::string second = site.take_incremental("last");
  const std::map<std::string, Rows> rows = all_rows(site.postgres);
  site.archive_a_segment();

  EXPECT_EQ(read_backup_info(site.barman, "main", second).at("parent_backup_id"), first);
  EXPECT_EQ(read_backup_info(site.barman, "main", first).at("parent_backup_id"), full);
  EXPECT_EQ(read_backup_info(site.barman, "main", full).at("children_backup_ids"), first);
  EXPECT_THAT(site.barman.run({"show-backup", "main", second}).out,
              AllOf(HasSubstr("Root Backup"), HasSubstr(full)));
  EXPECT_THAT(site.barman.run({"list-backups", "main"}).out, HasSubstr("- I - "));

  Restored restored(site, "latest", {"--target-immediate", "--target-action", "promote"});
  ASSERT_EQ(restored.result.exit_code, 0) << restored.result.out << restored.result.err;
  EXPECT_EQ(restored.result.err, "");
  PostgresServer again({.major = GetParam(),
                        .data_directory = restored.data,
                        .environment = site.barman.environment_for_restore_command()});
  again.wait_until_primary();
  EXPECT_EQ(all_rows(again), rows);
}

INSTANTIATE_TEST_SUITE_P(PostgreSQL, IncrementalBackup, testing::Values(17, 18),
                         testing::PrintToStringParamName());

// The members of a chain may be of different forms.
TEST(IncrementalBackup, ComesBackFromACompressedChain) {
  IncrementalSite site(kUsualMajor, {{"backup_compression", "zstd"}});
  const std::string full = site.take_backup();
  site.postgres.query("UPDATE changing SET text = 'first' WHERE id <= 100");
  site.barman.set("main", "backup_compression", "lz4");
  const std::string first = site.take_incremental("last");
  site.postgres.query("UPDATE there SET text = 'second' WHERE id <= 100");
  site.barman.set("main", "backup_compression", "");
  const std::string second = site.take_incremental("last");
  site.postgres.query("UPDATE changing SET text = 'third' WHERE id > 19900");
  site.barman.set("main", "backup_compression", "gzip");
  const std::string third = site.take_incremental("last");
  const std::map<std::string, Rows> rows = all_rows(site.postgres);
  site.archive_a_segment();
  EXPECT_TRUE(fs::exists(site.base(full) / "data/base.tar.zst"));
  EXPECT_TRUE(fs::exists(site.base(first) / "data/base.tar.lz4"));
  EXPECT_TRUE(fs::exists(site.base(second) / "data/PG_VERSION"));
  EXPECT_TRUE(fs::exists(site.base(third) / "data/base.tar.gz"));
  for (const std::string& id : {full, first, second, third}) {
    EXPECT_EQ(site.barman.run({"verify-backup", "main", id}).exit_code, 0) << id;
  }
  // An index that is gone is made again.
  fs::remove(site.base(full) / "data/base.index");
  Restored restored(site, third, {"--target-immediate", "--target-action", "promote"});
  ASSERT_EQ(restored.result.exit_code, 0) << restored.result.out << restored.result.err;
  EXPECT_TRUE(fs::exists(site.base(full) / "data/base.index"));
  PostgresServer again({.data_directory = restored.data,
                        .environment = site.barman.environment_for_restore_command()});
  again.wait_until_primary();
  EXPECT_EQ(all_rows(again), rows);
}

// Archives that the server has compressed are one piece each: the restore passes through them.
TEST(IncrementalBackup, ComesBackFromArchivesOfOnePiece) {
  IncrementalSite site(kUsualMajor,
                       {{"backup_compression", "gzip"}, {"backup_compression_location", "server"}});
  const std::string full = site.take_backup();
  site.postgres.query("UPDATE changing SET text = 'first' WHERE id <= 100");
  const std::string first = site.take_incremental("last");
  site.postgres.query("DELETE FROM changing WHERE id > 15000");
  site.postgres.query("VACUUM changing");
  site.postgres.query("UPDATE there SET text = 'second' WHERE id <= 100");
  const std::string second = site.take_incremental("last");
  const std::map<std::string, Rows> rows = all_rows(site.postgres);
  site.archive_a_segment();

  Restored restored(site, second);
  ASSERT_EQ(restored.result.exit_code, 0) << restored.result.out << restored.result.err;
  expect_verified(restored.data, second);
  PostgresServer again({.data_directory = restored.data});
  again.wait_until_primary();
  EXPECT_EQ(all_rows(again), rows);

  const fs::path archive = site.base(full) / "data/base.tar.gz";
  std::string damaged = read_text(archive);
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
  std::ofstream(archive, std::ios::binary) << damaged;
  Restored broken(site, second);
  EXPECT_EQ(broken.result.exit_code, 1);
  EXPECT_THAT(broken.result.err, HasSubstr(archive.string()));
  EXPECT_FALSE(fs::exists(broken.data / "global/pg_control"));
}

class RandomChain : public testing::TestWithParam<unsigned> {};

TEST_P(RandomChain, IsTheSameAsPgCombinebackupMakesOfIt) {
  IncrementalSite site;
  std::mt19937 random(GetParam());
  std::vector<std::string> chain = {site.take_backup()};
  for (int link = 0; link < 3; ++link) {
    for (int change = 0; change < 5; ++change) change_something(site, random);
    // Of these every chain has one; in the next link something in it changes.
    if (link == 1) site.promote();
    if (link == 0) {
      site.make_tablespace("late");
      site.postgres.query(
          "CREATE TABLE there_late TABLESPACE late AS SELECT g AS id, repeat('l', 300) AS text "
          "FROM generate_series(1, 5000) g");
    } else {
      site.postgres.query("UPDATE there_late SET text = 'changed' WHERE id % 50 = " +
                          std::to_string(link));
    }
    chain.push_back(site.take_incremental("last"));
  }
  const std::map<std::string, Rows> rows = all_rows(site.postgres);
  site.archive_a_segment();

  Restored restored(site, chain.back());
  ASSERT_EQ(restored.result.exit_code, 0) << restored.result.out << restored.result.err;
  const Combined combined(site, chain);
  expect_same_files(restored.data, combined.data);
  for (const Row& row : site.tablespaces()) {
    SCOPED_TRACE(row[0]);
    expect_same_files(restored.tablespace(row[0]), combined.tablespace(row[0]));
  }
  expect_verified(restored.data, chain.back());
  PostgresServer again({.data_directory = restored.data});
  again.wait_until_primary();
  EXPECT_EQ(all_rows(again), rows);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomChain, testing::Range(1U, 3U));

TEST(IncrementalRestore, FindsDamageInEveryLink) {
  IncrementalSite site;
  const std::string full = site.take_backup();
  site.postgres.query("UPDATE changing SET text = 'first' WHERE id <= 100");
  const std::string first = site.take_incremental("last");
  const std::string table = site.postgres.value("SELECT pg_relation_filepath('changing')");
  const std::string still = site.postgres.value("SELECT pg_relation_filepath('still')");
  const fs::path changed =
      fs::path(table).parent_path() / ("INCREMENTAL." + fs::path(table).filename().string());

  const auto expect_damage = [&](const fs::path& path, std::size_t offset) {
    SCOPED_TRACE(path);
    const std::string intact = read_text(path);
    std::string damaged = intact;
    ASSERT_LT(offset, damaged.size());
    damaged[offset] = static_cast<char>(damaged[offset] ^ 1);
    std::ofstream(path, std::ios::binary) << damaged;
    Restored restored(site, first);
    EXPECT_EQ(restored.result.exit_code, 1);
    EXPECT_THAT(restored.result.err, AllOf(HasSubstr(path.string()), HasSubstr("checksum")));
    EXPECT_FALSE(fs::exists(restored.data / "global/pg_control"));
    std::ofstream(path, std::ios::binary) << intact;
  };
  // The last byte of a page that is taken from there, and one in a page that is not.
  expect_damage(site.base(full) / "data" / still, 8191);
  expect_damage(site.base(full) / "data" / table, 8191);
  expect_damage(site.base(first) / "data" / changed, 3 * 8192 - 1);
  Restored restored(site, first);
  EXPECT_EQ(restored.result.exit_code, 0) << restored.result.err;
}

TEST(IncrementalRestore, RefusesAnIncompleteChain) {
  IncrementalSite site;
  const std::string full = site.take_backup();
  const std::string first = site.take_incremental("latest-full");
  const std::string table = site.postgres.value("SELECT pg_relation_filepath('still')");
  const fs::path file = site.base(full) / "data" / table;
  fs::rename(file, file.string() + ".away");
  Restored damaged(site, first);
  EXPECT_EQ(damaged.result.exit_code, 1);
  EXPECT_THAT(damaged.result.err, AllOf(HasSubstr(table), HasSubstr("missing"), HasSubstr(full)));
  EXPECT_FALSE(fs::exists(damaged.data));
  fs::rename(file.string() + ".away", file);

  fs::rename(site.base(full), site.base(full).string() + ".away");
  fs::rename(site.server_directory() / "meta" / (full + "-backup.info"),
             site.barman.directory() / "away");
  Restored orphan(site, first);
  EXPECT_EQ(orphan.result.exit_code, 1);
  EXPECT_THAT(orphan.result.err,
              AllOf(HasSubstr(first), HasSubstr(full), HasSubstr("not in the catalogue")));
}

// Told to whoever typed the word, and in the log.
TEST(IncrementalBackup, TellsWhichParentItPassesOver) {
  IncrementalSite site;
  const std::string full = site.take_backup();
  const std::string next = site.take_backup();
  fs::rename(site.base(next), site.barman.directory() / "away");
  const std::string told =
      "WARNING: Backup " + next + " is passed over, it cannot be restored: its directory";
  for (const std::string word : {"last", "latest", "last-full", "latest-full"}) {
    const CommandResult result = site.barman.run({"backup", "--incremental", word, "main"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.err, HasSubstr(told));
    EXPECT_THAT(site.barman.log(), HasSubstr(told.substr(sizeof("WARNING:"))));
    const std::string id = site.barman.backup_ids("main").back();
    EXPECT_EQ(read_backup_info(site.barman, "main", id).at("parent_backup_id"), full);
    EXPECT_EQ(site.barman.run({"delete", "main", id}).exit_code, 0);
  }
}

TEST(IncrementalBackupRefusal, NamesWhatIsMissing) {
  IncrementalSite site;
  const auto expect_refusal = [&](const std::string& parent, const std::string& reason) {
    const std::vector<std::string> before = site.listed_backups();
    const CommandResult result = site.barman.run({"backup", "--incremental", parent, "main"});
    EXPECT_EQ(result.exit_code, 1) << result.out;
    EXPECT_THAT(result.err, HasSubstr(reason));
    EXPECT_EQ(site.listed_backups(), before);
  };
  expect_refusal("20200101T000000", "Unknown backup '20200101T000000' for server 'main'");
  site.postgres.query("ALTER SYSTEM SET summarize_wal = off");
  site.postgres.query("SELECT pg_reload_conf()");
  site.postgres.wait_until("current_setting('summarize_wal') = 'off'");
  const std::string without = site.take_backup();
  expect_refusal(without, "failed to start backup: 'summarize_wal' option has to be enabled");
  site.postgres.query("ALTER SYSTEM SET summarize_wal = on");
  site.postgres.query("SELECT pg_reload_conf()");
  site.postgres.wait_until("current_setting('summarize_wal') = 'on'");
  expect_refusal(without, "backup " + without + " is not eligible as a parent");
  const std::string full = site.take_backup();
  fs::rename(site.base(full) / "data/backup_manifest", site.base(full) / "data/away");
  expect_refusal(full, "backup_manifest\" is missing");
}

TEST(IncrementalBackupRefusal, NeedsPostgres17) {
  StreamingSite site({.postgres = {.major = 16}});
  site.start_receiver();
  site.archive_a_segment();
  const std::string full = site.take_backup();
  const CommandResult result = site.barman.run({"backup", "--incremental", full, "main"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err,
              HasSubstr("failed to start backup: Postgres version 17 or greater is required for "
                        "incremental backups using the Postgres backup method"));
}

// Without summaries of the WAL since the parent the server refuses, and says which are missing.
TEST(IncrementalBackupRefusal, TellsOfMissingSummaries) {
  IncrementalSite site;
  const std::string full = site.take_backup();
  site.postgres.query("UPDATE changing SET text = 'gone'");
  site.postgres.query("CHECKPOINT");
  site.postgres.wait_until(
      "(SELECT summarized_lsn FROM pg_get_wal_summarizer_state()) >= "
      "(SELECT redo_lsn FROM pg_control_checkpoint())");
  for (const fs::directory_entry& summary :
       fs::directory_iterator(site.postgres.data_directory() / "pg_wal/summaries")) {
    fs::remove(summary);
  }
  const CommandResult result = site.barman.run({"backup", "--incremental", full, "main"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("WAL summaries are required"));
  EXPECT_EQ(site.status_of(site.listed_backups().front()), "FAILED");
}

TEST(IncrementalBackup, IsDeletedWithItsParent) {
  IncrementalSite site;
  const std::string full = site.take_backup();
  const std::string first = site.take_incremental("last");
  const std::string second = site.take_incremental("last");
  const CommandResult leaf = site.barman.run({"delete", "main", second});
  EXPECT_EQ(leaf.exit_code, 0) << leaf.err;
  EXPECT_EQ(read_backup_info(site.barman, "main", first).at("children_backup_ids"), "None");
  site.take_backup();
  const CommandResult tree = site.barman.run({"delete", "main", full});
  EXPECT_EQ(tree.exit_code, 0) << tree.err;
  EXPECT_THAT(site.listed_backups(), testing::SizeIs(1));
  EXPECT_FALSE(fs::exists(site.base(first)));
}

TEST(VerifyIncremental, FindsDamageOfTheBackupsItBuildsOn) {
  IncrementalSite site;
  const std::string full = site.take_backup();
  const std::string first = site.take_incremental("last");
  EXPECT_EQ(site.barman.run({"verify-backup", "main", first}).exit_code, 0);
  const fs::path file =
      site.base(full) / "data" / site.postgres.value("SELECT pg_relation_filepath('still')");
  std::string content = read_text(file);
  content[5000] = static_cast<char>(content[5000] ^ 1);
  std::ofstream(file, std::ios::binary) << content;
  const CommandResult damaged = site.barman.run({"verify-backup", "main", first});
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_THAT(damaged.out + damaged.err,
              HasSubstr("backup " + full + ", which it builds on: \"base/"));
  fs::rename(site.base(full), site.base(full).string() + ".away");
  EXPECT_EQ(site.barman.run({"verify-backup", "main", first}).exit_code, 1);
}

}  // namespace
}  // namespace barman::test
