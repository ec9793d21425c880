// backup_method = rsync: the files of a running PostgreSQL come by rsync through a real sshd.
// Restored backups are started, and have the rows; unchanged files are shared with the backup
// before, changed ones never; what is cut is not copied again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/incremental_site.h"
#include "support/ssh_server.h"
#include "support/writer.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;

// A PostgreSQL with a tablespace, and a barman that reaches its files through ssh only.
struct RsyncSite : StreamingSite {
  explicit RsyncSite(int major = kUsualMajor, Settings more = {})
      : StreamingSite({.postgres = {.major = major, .tablespaces = {"ts"}},
                       .server = with_method(std::move(more))}),
        ssh(barman) {
    barman.set("main", "ssh_command", ssh.shell());
    start_receiver();
    postgres.query("CREATE TABLE changing (id int PRIMARY KEY, text text)");
    postgres.query(
        "INSERT INTO changing SELECT g, repeat('x', 500) FROM generate_series(1, 20000) g");
    postgres.query("CREATE TABLE still AS SELECT g AS id FROM generate_series(1, 50000) g");
    postgres.query(
        "CREATE TABLE there TABLESPACE ts AS SELECT g AS id, repeat('t', 300) AS text "
        "FROM generate_series(1, 5000) g");
    archive_a_segment();
  }
  static Settings with_method(Settings more) {
    more.emplace("backup_method", "rsync");
    more.emplace("backup_options", "concurrent_backup");
    more.emplace("ssh_command", "false");
    return more;
  }
  fs::path base(const std::string& id) const { return server_directory() / "base" / id; }
  std::string newest() { return barman.backup_ids("main").back(); }
  std::string tablespace_oid() const {
    return postgres.value("SELECT oid FROM pg_tablespace WHERE spcname = 'ts'");
  }
  // The file of a table, below the directory of a backup.
  std::string file_of(const std::string& table) const {
    const std::string path = postgres.value("SELECT pg_relation_filepath('" + table + "')");
    if (!path.starts_with("pg_tblspc/")) return "data/" + path;
    return tablespace_oid() + "/" + path.substr(path.find("PG_"));
  }

  SshServer ssh;
};

// A restore to a place of its own.
struct RsyncRestore {
  RsyncRestore(RsyncSite& site, const std::string& id, const std::vector<std::string>& options = {})
      : data(place.path() / "data") {
    std::vector<std::string> arguments = {"restore", "--tablespace",
                                          "ts:" + (place.path() / "ts").string()};
    arguments.insert(arguments.end(), options.begin(), options.end());
    arguments.insert(arguments.end(), {"main", id, data.string()});
    result = site.barman.run(arguments);
  }

  TempDir place;
  fs::path data;
  CommandResult result;
};

struct stat status_of_file(const fs::path& path) {
  struct stat status = {};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
  return status;
}

void expect_restored_rows(RsyncSite& site, const std::string& id, int major) {
  const RsyncRestore restored(site, id);
  ASSERT_EQ(restored.result.exit_code, 0) << restored.result.out << restored.result.err;
  PostgresServer copy({.major = major, .data_directory = restored.data});
  copy.wait_until_primary();
  EXPECT_EQ(all_rows(copy), all_rows(site.postgres));
}

class RsyncBackupOf : public testing::TestWithParam<int> {};

TEST_P(RsyncBackupOf, IsTakenUnderLoadAndRestoredToAMoment) {
  if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  const int major = GetParam();
  RsyncSite site(major, {{"reuse_backup", "link"}, {"parallel_jobs", "2"}});
  std::optional<Writer> writer(std::in_place, site.postgres);
  writer->wait_for_commits(20);
  const CommandResult first = site.barman.run({"backup", "--wait", "main"});
  ASSERT_EQ(first.exit_code, 0) << first.out << first.err;
  EXPECT_EQ(first.err, "");
  const std::string one = site.newest();
  EXPECT_THAT(
      first.out,
      AllOf(HasSubstr("Starting backup using rsync-concurrent method for server main in "),
            HasSubstr("Starting backup copy via rsync/SSH for " + one + " (2 jobs)\n"),
            HasSubstr("Asking PostgreSQL server to finalize the backup.\n"),
            HasSubstr("Actual size on disk: "), HasSubstr("Backup completed (start time: ")));
  EXPECT_EQ(site.status_of(one), "DONE");

  const Commit target = writer->wait_for_commits(20);
  writer->wait_for_commits(20);
  site.postgres.query("UPDATE changing SET text = 'new' WHERE id % 100 = 0");
  const CommandResult second = site.barman.run({"backup", "--wait", "--manifest", "main"});
  ASSERT_EQ(second.exit_code, 0) << second.out << second.err;
  const std::string two = site.newest();
  ASSERT_NE(one, two);
  const std::vector<Commit> commits = writer->stop();
  writer.reset();
  site.archive_a_segment();
  {
    const RsyncRestore restored(site, one,
                                {"--target-time", target.time, "--target-action", "promote"});
    ASSERT_EQ(restored.result.exit_code, 0) << restored.result.out << restored.result.err;
    PostgresServer copy({.major = major, .data_directory = restored.data});
    copy.wait_until_primary();
    EXPECT_EQ(written_ids(copy), ids_until(commits, target.id));
    EXPECT_EQ(sorted_rows(copy, "there"), sorted_rows(site.postgres, "there"));
  }
  // The second one shares what has not changed.
  const auto is_shared = [&](const std::string& path) {
    return status_of_file(site.base(one) / path).st_ino ==
           status_of_file(site.base(two) / path).st_ino;
  };
  EXPECT_TRUE(is_shared(site.file_of("still")));
  EXPECT_TRUE(is_shared(site.file_of("there")));
  EXPECT_FALSE(is_shared(site.file_of("changing")));
  EXPECT_FALSE(is_shared(site.file_of("writes")));
  for (const char* name : {"backup_label", "global/pg_control"}) {
    EXPECT_FALSE(is_shared("data/" + std::string(name))) << name;
  }
  EXPECT_TRUE(fs::is_empty(site.base(two) / "data/pg_wal"));
  EXPECT_TRUE(fs::is_empty(site.base(two) / "data/pg_tblspc"));
  EXPECT_FALSE(fs::exists(site.base(two) / "data/postmaster.pid"));
  const CommandResult verified = site.barman.run({"verify-backup", "main", two});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  // Each stands alone.
  const CommandResult deleted = site.barman.run({"delete", "main", one});
  ASSERT_EQ(deleted.exit_code, 0) << deleted.out << deleted.err;
  expect_restored_rows(site, two, major);
}

INSTANTIATE_TEST_SUITE_P(Postgres, RsyncBackupOf, testing::Values(17, 13));

}  // namespace
}  // namespace barman::test
