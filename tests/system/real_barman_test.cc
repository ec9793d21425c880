// A catalogue of Barman (3.4, as Debian 12 has it, and 3.20) with rsync backups is continued:
// listed, restored, the next backup shares files with Barman's, which is deleted then. And the
// reverse, as far as the old version knows where to look. Both reach PostgreSQL's files through
// ssh.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/text.h"
#include "support/barman_home.h"
#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/postgres_server.h"
#include "support/postgres_version.h"
#include "support/privileges.h"
#include "support/ssh_server.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// "" while there is no such backup, or while its metadata is being written.
std::string find_status(const BarmanHome& home, const std::string& id) {
  const fs::path file = home.server_directory("main") / "meta" / (id + "-backup.info");
  return fs::exists(file) ? read_backup_info(home, "main", id)["status"] : "";
}

// PostgreSQL leaves the manifest of the backup from which a cluster was made in its data directory.
constexpr const char* kManifestOfTheCluster =
    R"({ "PostgreSQL-Backup-Manifest-Version": 1,
"Files": [
{ "Path": "PG_VERSION", "Size": 4, "Last-Modified": "2026-11-21 01:42:37 GMT" }
],
"WAL-Ranges": [
{ "Timeline": 1, "Start-LSN": "0/1000028", "End-LSN": "0/1000100" }
],
"Manifest-Checksum": "a571ad2493083346fcc913fe773a03a630968ea4372c11f2803faa73eae54c55"}
)";

// Both programs have the same configuration and home.
class RealBarman : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!fs::exists(program())) {
      GTEST_SKIP() << "no " << program() << ": run scripts/install-dependencies test";
    }
    if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
    ssh_.emplace(barman_);
    const fs::path incoming = barman_.server_directory("main") / "incoming";
    fs::create_directories(incoming);
    postgres_.emplace(
        PostgresOptions{.major = 15,
                        .settings = {{"autovacuum", "off"},  // it changes shared files
                                     {"archive_mode", "on"},
                                     {"archive_command", "cp %p " + incoming.string() + "/%f"}},
                        .tablespaces = {"ts"}});
    barman_.add_section("main", {{"conninfo", postgres_->conninfo()},
                                 {"backup_method", "rsync"},
                                 // Barman wants silence, also about hosts that it has not met.
                                 {"ssh_command", ssh_->shell() + " -o LogLevel=ERROR"},
                                 {"backup_options", "concurrent_backup"},
                                 {"reuse_backup", "link"},
                                 {"immediate_checkpoint", "true"},
                                 {"archiver", "on"}});
    postgres_->query(
        "CREATE TABLE t TABLESPACE ts AS SELECT g AS id FROM generate_series(1, 1000) g");
    postgres_->query("CREATE TABLE u AS SELECT g AS id FROM generate_series(1, 5000) g");
  }
  static fs::path program() { return real_barman(GetParam()); }
  // It has its metadata and its annotations beside the files of a backup.
  static bool is_old() { return std::string(GetParam()) == "3.4"; }
  std::string theirs(std::vector<std::string> arguments) {
    return theirs_at(barman_, std::move(arguments));
  }
  static std::string theirs_at(const BarmanHome& home, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(),
                     {program().string(), "-c", home.configuration_file().string()});
    return run_checked({.argv = arguments});
  }
  CommandResult ours(const std::vector<std::string>& arguments) {
    CommandResult result = barman_.run(arguments);
    EXPECT_EQ(result.exit_code, 0) << testing::PrintToString(arguments) << result.out << result.err;
    return result;
  }
  fs::path metadata(const std::string& id) const {
    return barman_.server_directory("main") / "meta" / (id + "-backup.info");
  }
  fs::path base(const std::string& id) const {
    return barman_.server_directory("main") / "base" / id;
  }
  std::string last_id() const { return barman_.backup_ids("main").back(); }
  std::string file_of(const std::string& table) const {
    return postgres_->value("SELECT pg_relation_filepath('" + table + "')");
  }
  static ino_t inode_of(const fs::path& path) {
    struct stat status = {};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
    return status.st_ino;
  }
  void expect_rows(const fs::path& data) const {
    PostgresServer server({.major = 15, .data_directory = data});
    server.wait_until_primary();
    EXPECT_EQ(server.value("SELECT count(*) FROM t"), "1000");
    EXPECT_EQ(server.value("SELECT count(*) FROM u"), "5000");
  }

  // A command by which a passive node reaches this catalogue, whose barman is that program.
  std::string way_to_primary(const fs::path& barman) const {
    const fs::path way = barman_.directory() / ("way-" + barman.parent_path().filename().string());
    write_text(way, "#!/bin/bash\nwords=()\nfor word; do\n  [[ $word != barman\\ * ]] || word=\"" +
                        barman.string() + " -c " + barman_.configuration_file().string() +
                        " ${word#barman }\"\n  words+=(\"$word\")\ndone\nexec " + ssh_->shell() +
                        " -o LogLevel=ERROR \"${words[@]}\"\n");
    fs::permissions(way, fs::perms(0755));
    return way.string();
  }
  void expect_same_files(const BarmanHome& passive, const std::string& id) const {
    const CommandResult result = run_command(
        {.argv = {"diff", "-r", "--no-dereference", "-x", "backup.info", "-x", "pg_tblspc",
                  base(id).string(), (passive.server_directory("main") / "base" / id).string()}});
    EXPECT_EQ(result.exit_code, 0) << result.out;
  }

  void expect_recovered_by_barman(const std::string& id) {
    const TempDir place;
    theirs({"recover", "--tablespace", "ts:" + (place.path() / "ts").string(), "main", id,
            (place.path() / "data").string()});
    expect_rows(place.path() / "data");
  }

  BarmanHome barman_;
  std::optional<SshServer> ssh_;
  std::optional<PostgresServer> postgres_;
};

TEST_P(RealBarman, HasItsCatalogueContinued) {
  write_text(postgres_->data_directory() / "backup_manifest", kManifestOfTheCluster);
  theirs({"switch-wal", "--force", "--archive", "main"});
  theirs({"backup", "--wait", "main"});
  const std::string one = last_id();
  ASSERT_TRUE(fs::exists(is_old() ? base(one) / "backup.info" : metadata(one)));
  EXPECT_THAT(ours({"list-backups", "main"}).out, HasSubstr("main " + one));
  EXPECT_THAT(ours({"show-backup", "main", one}).out, HasSubstr("DONE"));
  EXPECT_EQ(ours({"check-backup", "main", one}).err, "");
  ASSERT_TRUE(fs::exists(base(one) / "data" / "backup_manifest"));
  {
    const TempDir place;
    ours({"restore", "--tablespace", "ts:" + (place.path() / "ts").string(), "main", one,
          (place.path() / "data").string()});
    expect_rows(place.path() / "data");
  }
  ours({"generate-manifest", "main", one});
  ours({"verify-backup", "main", one});
  EXPECT_EQ(barman_.run({"catalogue-check", "--deep", "main"}).exit_code, 0);
  // Files that have not changed are those of Barman's backup, by whatever way the next one comes.
  const std::string path = "data/" + file_of("u");
  ours({"backup", "--wait", "--manifest", "main"});
  const std::string two = last_id();
  ASSERT_NE(one, two);
  EXPECT_EQ(inode_of(base(one) / path), inode_of(base(two) / path));
  EXPECT_THAT(ours({"show-backup", "main", two}).out, HasSubstr("rsync-concurrent"));
  ours({"verify-backup", "main", two});
  barman_.set("main", "backup_method", "local-rsync");
  barman_.set("main", "ssh_command", "");
  ours({"backup", "--wait", "main"});
  const std::string three = last_id();
  ASSERT_NE(two, three);
  EXPECT_EQ(inode_of(base(one) / path), inode_of(base(three) / path));
  ours({"delete", "main", three});
  EXPECT_FALSE(fs::exists(base(three)));
  // Barman's is pruned; what it shares with ours stays.
  barman_.set("main", "retention_policy", "REDUNDANCY 1");
  ASSERT_TRUE(eventually([&] {
    ours({"cron"});
    return !fs::exists(base(one));
  }));
  const TempDir place;
  ours({"restore", "--tablespace", "ts:" + (place.path() / "ts").string(), "main", two,
        (place.path() / "data").string()});
  expect_rows(place.path() / "data");
}

// Barman 3.4 looks for metadata where ours keeps a copy that it can read.
TEST_P(RealBarman, TakesOurBackupsBack) {
  ours({"switch-wal", "--force", "--archive", "main"});
  ours({"backup", "--wait", "--manifest", "main"});
  const std::string one = last_id();
  // Its index of the WAL has a column less.
  if (is_old()) theirs({"rebuild-xlogdb", "main"});
  EXPECT_THAT(theirs({"list-backup", "main"}), HasSubstr("main " + one));
  EXPECT_THAT(theirs({"show-backup", "main", one}), AllOf(HasSubstr("DONE"), HasSubstr("ts")));
  expect_recovered_by_barman(one);
  // The other way round, too: Barman's backup shares files with ours.
  theirs({"backup", "--wait", "main"});
  const std::string two = last_id();
  ASSERT_NE(one, two);
  EXPECT_EQ(inode_of(base(one) / "data" / file_of("u")),
            inode_of(base(two) / "data" / file_of("u")));
  EXPECT_THAT(theirs({"list-files", "main", two}), HasSubstr(base(two).string()));
  // Ours is pruned by Barman; what it shares with Barman's stays.
  barman_.set("main", "retention_policy", "REDUNDANCY 1");
  ASSERT_TRUE(eventually([&] {
    theirs({"cron"});
    return !fs::exists(base(one));
  }));
  EXPECT_THAT(theirs({"list-backup", "main"}), HasSubstr("main " + two));
  expect_recovered_by_barman(two);
  // And back again. Of its deletion the old Barman has left our metadata.
  ASSERT_EQ(fs::exists(metadata(one)), is_old());
  const CommandResult list = ours({"list-backups", "main"});
  EXPECT_THAT(list.out, AllOf(HasSubstr("main " + two), Not(HasSubstr(one))));
  EXPECT_THAT(list.err, is_old() ? HasSubstr("backup " + one + " is gone: ") : HasSubstr(""));
  EXPECT_THAT(barman_.run({"check", "main"}).out, Not(HasSubstr("readable backups")));
  ours({"check-backup", "main", two});
  if (is_old()) ours({"delete", "main", one});
  EXPECT_FALSE(fs::exists(metadata(one)));
  EXPECT_EQ(ours({"list-backups", "main"}).err, "");
}

// A second site: each copies from the other.
TEST_P(RealBarman, IsAPrimaryOfOursAndTheReverse) {
  theirs({"switch-wal", "--force", "--archive", "main"});
  theirs({"backup", "--wait", "main"});
  const std::string id = last_id();
  const auto has_all = [&](const BarmanHome& passive) {
    return find_status(passive, id) == "DONE" &&
           fs::exists(
               archived_wal(passive, "main", read_backup_info(passive, "main", id).at("end_wal")));
  };
  BarmanHome passive;
  passive.add_section("main", {{"primary_ssh_command", way_to_primary(program())}});
  ASSERT_TRUE(eventually([&] {
    EXPECT_EQ(passive.run({"cron"}).err, "");
    return has_all(passive);
  })) << passive.log();
  expect_same_files(passive, id);
  EXPECT_THAT(passive.run({"list-backups", "main"}).out, HasSubstr("main " + id + " - R - "));
  {
    const TempDir place;
    const CommandResult restored =
        passive.run({"restore", "--tablespace", "ts:" + (place.path() / "ts").string(), "main", id,
                     (place.path() / "data").string()});
    ASSERT_EQ(restored.exit_code, 0) << restored.err;
    expect_rows(place.path() / "data");
  }
  if (is_old()) return;  // It knows fewer attributes than Barman 3.20 tells.
  ours({"check-backup", "main", id});
  BarmanHome reverse;
  reverse.add_section("main", {{"primary_ssh_command", way_to_primary(barman_program())}});
  ASSERT_TRUE(eventually([&] {
    theirs_at(reverse, {"cron"});
    return has_all(reverse);
  })) << reverse.log();
  expect_same_files(reverse, id);
  // And what Barman has copied is ours to go on with.
  EXPECT_THAT(reverse.run({"list-backups", "main"}).out, HasSubstr("main " + id));
  EXPECT_THAT(reverse.run({"catalogue-check", "main"}).out,  // A defect of Barman.
              HasSubstr("the index has more than one line for it, which say the same. Run \"barman "
                        "rebuild-xlogdb "));
  EXPECT_EQ(reverse.run({"rebuild-xlogdb", "main"}).exit_code, 0);
  const CommandResult checked = reverse.run({"catalogue-check", "main"});
  EXPECT_EQ(checked.exit_code, 0) << checked.out;
}

INSTANTIATE_TEST_SUITE_P(Versions, RealBarman, testing::Values("3.4", "3.20"),
                         [](const auto& info) {
                           return "Barman" + replace_all(info.param, ".", "_");
                         });

}  // namespace
}  // namespace barman::test
