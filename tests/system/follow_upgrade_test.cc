// A server goes on with another cluster (pg_upgrade, initdb); the backups of the old one stay
// restorable, and the WAL of the two never meets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstring>
#include <set>

#include "base/file_lock.h"
#include "base/text.h"
#include "support/eventually.h"
#include "support/fault_injection.h"
#include "support/postgres_server.h"
#include "support/ssh_server.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr int kOldMajor = 16;
constexpr const char* kOldName = "main-16-old";

std::set<std::string> tree_of(const fs::path& directory) {
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    names.insert(entry.path().lexically_relative(directory).string());
  return names;
}

// A system identifier in a file of PostgreSQL's.
std::string id_at(const std::string& bytes, std::size_t offset) {
  std::uint64_t id = 0;
  if (bytes.size() >= offset + sizeof id) std::memcpy(&id, bytes.data() + offset, sizeof id);
  return std::to_string(id);
}

// A cluster with a backup and WAL behind it, and the one that has come in its place.
class FollowUpgrade : public testing::Test {
 protected:
  FollowUpgrade() : site_({.postgres = {.major = kOldMajor}}) {
    site_.start_receiver();
    site_.archive_a_segment();
    site_.postgres.query("CREATE TABLE t AS SELECT 'in the backup' AS old");
    site_.take_backup();
    site_.postgres.query("INSERT INTO t VALUES ('in the WAL')");
    site_.wait_until_acknowledged();
    site_.postgres.query("INSERT INTO t VALUES ('in the last segment')");
    site_.wait_until_acknowledged(site_.postgres.value("SELECT pg_current_wal_flush_lsn()"));
    // The receiver goes on trying.
    site_.postgres.stop();
    connect(upgraded_);
    upgraded_.query("CREATE TABLE t AS SELECT 'new' AS new");
  }

  void connect(const PostgresServer& postgres) {
    site_.barman.set("main", "conninfo", postgres.conninfo("barman"));
    site_.barman.set("main", "streaming_conninfo", postgres.conninfo("streaming_barman"));
  }

  CommandResult must(const std::vector<std::string>& command) {
    CommandResult result = site_.barman.run(command);
    EXPECT_EQ(result.exit_code, 0) << join(command, " ") << "\n" << result.out << result.err;
    return result;
  }

  std::set<std::string> list_segments(const std::string& server) {
    std::set<std::string> names;
    for (const std::string& path : tree_of(site_.barman.server_directory(server) / "wals")) {
      const std::string name = fs::path(path).filename();
      if (name.size() == 24) names.insert(name);
    }
    return names;
  }

  std::string restored(const std::string& server, int major, const std::string& query) {
    const TempDir place;
    must({"restore", "--get-wal", server, "latest", (place.path() / "data").string()});
    PostgresServer postgres({.major = major,
                             .data_directory = place.path() / "data",
                             .environment = site_.barman.environment_for_restore_command()});
    return postgres.value(query);
  }

  // The new cluster is backed up as any other, and the old one can be restored up to its end.
  void expect_both() {
    must({"switch-wal", "--force", "--archive", "main"});
    must({"backup", "--wait", "main"});
    EXPECT_EQ(restored("main", kUsualMajor, "SELECT new FROM t"), "new");
    EXPECT_EQ(restored(kOldName, kOldMajor, "SELECT string_agg(old, ', ') FROM t"),
              "in the backup, in the WAL, in the last segment");
    must({"catalogue-check", "main"});
    must({"catalogue-check", kOldName});
    must({"verify-wal", kOldName});
    EXPECT_EQ(site_.barman.backup_ids("main").size(), 1U);
    EXPECT_EQ(site_.barman.backup_ids(kOldName).size(), 1U);
  }

  // A history file does not tell whose it is: a timeline that only the old cluster has is its own,
  // and of one that both have each gets its own, also through ssh.
  void expect_own_histories(const fs::path& old_data) {
    if (!SshServer::is_available()) return;
    const TempDir place;
    const std::string in_old = "1\t0/3000000\tof the old cluster\n";
    const std::string in_new = "1\t0/5000000\tof the new cluster\n";
    const auto write_history = [&](const std::string& server, const std::string& text) {
      write_text(site_.barman.server_directory(server) / "wals/00000002.history", text);
    };
    write_history(kOldName, in_old);
    const std::vector<std::string> get_wal = {"get-wal", "main", "00000002.history"};
    const CommandResult nobodys = site_.barman.run(get_wal);
    EXPECT_EQ(nobodys.exit_code, 1);
    EXPECT_THAT(nobodys.err, AllOf(HasSubstr("which cluster asks for 00000002.history is not"),
                                   HasSubstr("name it in restore_command"), HasSubstr(kOldName)));
    const SshServer ssh(site_.barman);
    const auto fetch = [&](const fs::path& directory) {
      std::vector<std::string> argv = {"env", "-C", directory.string()};
      for (const std::string& word : ssh.argv("barman-wal-restore")) argv.push_back(word);
      argv.insert(argv.end(), {"main", "00000002.history", (place.path() / "file").string()});
      fs::remove(place.path() / "file");
      return run_command({.argv = argv, .environment = ssh.environment()});
    };
    EXPECT_EQ(fetch(upgraded_.data_directory()).exit_code, 1);
    for (const bool both : {false, true}) {
      if (both) write_history("main", in_new);
      const CommandResult fetched = fetch(old_data);
      EXPECT_EQ(fetched.exit_code, 0) << fetched.err;
      EXPECT_EQ(read_text(place.path() / "file"), in_old);
    }
    EXPECT_EQ(fetch(upgraded_.data_directory()).exit_code, 0);
    EXPECT_EQ(read_text(place.path() / "file"), in_new);
    const CommandResult first = site_.barman.run(get_wal);
    EXPECT_EQ(first.out, in_new);
    EXPECT_THAT(first.err, HasSubstr("this is the answer for the cluster of server 'main'"));
    for (const std::string server : {"main", kOldName})
      fs::remove(site_.barman.server_directory(server) / "wals/00000002.history");
  }

  StreamingSite site_;
  PostgresServer upgraded_;
};

TEST_F(FollowUpgrade, GoesOnAndKeepsTheOldBackupsRestorable) {
  const std::string advice = site_.barman.run({"doctor", "main"}).out;
  EXPECT_THAT(advice, AllOf(HasSubstr("barman follow-upgrade main\n"),
                            HasSubstr("correct it, and nothing else")));
  EXPECT_THAT(site_.barman.run({"receive-wal", "main"}).err,
              HasSubstr("After pg_upgrade, run: barman follow-upgrade main"));

  const std::set<std::string> before = tree_of(site_.barman.home());
  EXPECT_THAT(must({"follow-upgrade", "--dry-run", "main"}).out,
              AllOf(HasSubstr("PostgreSQL 16"), HasSubstr("PostgreSQL 17"), HasSubstr(kOldName),
                    HasSubstr("Nothing has been changed")));
  EXPECT_EQ(tree_of(site_.barman.home()), before);

  EXPECT_THAT(must({"follow-upgrade", "main"}).out, HasSubstr("barman list-backups main-16-old"));
  expect_both();
  // Names of segments meet; their WAL does not.
  const std::set<std::string> old_wals = tree_of(site_.barman.server_directory(kOldName) / "wals");
  const std::set<std::string> new_wals = tree_of(site_.barman.server_directory("main") / "wals");
  EXPECT_THAT(old_wals, testing::Contains("main-16-old-xlog.db"));
  EXPECT_THAT(old_wals, Not(testing::Contains("main-xlog.db")));
  EXPECT_THAT(new_wals, testing::Contains("main-xlog.db"));

  const CommandResult again = must({"follow-upgrade", "main"});
  EXPECT_THAT(again.out, HasSubstr("nothing is to be put aside"));
  EXPECT_EQ(site_.barman.backup_ids("main").size(), 1U);
}

TEST_F(FollowUpgrade, GoesOnAfterKill9) {
  int kills = 0;
  // The note, the section, the directory; then the index and the new identity. strace would wait
  // for the receiver of a run that comes to its end.
  for (const int when : {1, 2, 3, 4, 1, 2}) {
    const CommandResult result = run_command(with_fault(
        site_.barman.request({"follow-upgrade", "main"}), {.system_call = "rename", .when = when}));
    if (result.exit_code != 0) ++kills;
    // What cron does meanwhile makes nothing worse.
    site_.barman.run({"cron"});
  }
  EXPECT_EQ(kills, 6);
  must({"follow-upgrade", "main"});
  expect_both();
  EXPECT_FALSE(fs::exists(site_.barman.server_directory("main-16-old-2")));
}

TEST_F(FollowUpgrade, MovesNothingThatItShouldNot) {
  {
    // A restore reads the old catalogue.
    const auto reader = FileLock::try_lock_shared(
        site_.barman.home() / (".main-" + site_.barman.backup_ids("main").front() + ".lock"));
    ASSERT_TRUE(reader);
    EXPECT_THAT(site_.barman.run({"follow-upgrade", "main"}).err, HasSubstr("is in use"));
  }
  // The name of a directory that is somebody else's.
  fs::create_directories(site_.barman.server_directory(kOldName));
  write_text(site_.barman.server_directory(kOldName) / "mine", "");
  EXPECT_THAT(site_.barman.run({"follow-upgrade", "main"}).err,
              AllOf(HasSubstr("exists and is not empty"), HasSubstr("--old-name")));
  EXPECT_EQ(site_.barman.backup_ids("main").size(), 1U);
  // The cluster of the catalogue is back.
  site_.postgres.start();
  connect(site_.postgres);
  EXPECT_THAT(must({"follow-upgrade", "main"}).out, HasSubstr("nothing is to be put aside"));
  EXPECT_EQ(site_.barman.backup_ids("main").size(), 1U);
}

// What was restored from the old backups asks for the WAL of `main`, which is another cluster's by
// now: it gets its own, and nobody gets the other one's.
TEST_F(FollowUpgrade, GivesEachClusterItsOwnWal) {
  const TempDir place;
  const fs::path data = place.path() / "data";
  must({"restore", "--get-wal", "main", "latest", data.string()});
  must({"follow-upgrade", "main"});
  must({"switch-wal", "--force", "--archive", "main"});
  const std::set<std::string> of_new = list_segments("main");
  const std::string in_new = *of_new.rbegin();
  std::set<std::string> of_old = list_segments(kOldName);
  std::erase_if(of_old, [&](const std::string& name) { return of_new.contains(name); });
  ASSERT_FALSE(of_old.empty());
  const std::string in_old = *of_old.begin();
  const auto get = [&](const std::vector<std::string>& words, const fs::path& directory) {
    CommandRequest request = site_.barman.request(words);
    request.argv.insert(request.argv.begin(), {"env", "-C", directory.string()});
    return run_command(request);
  };
  constexpr std::size_t kIdInSegment = 24;
  const auto id_of = [&](const CommandResult& result) {
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return id_at(result.out, kIdInSegment);
  };
  const std::string old_id = id_at(read_text(data / "global/pg_control"), 0);
  const std::string new_id = upgraded_.value("SELECT system_identifier FROM pg_control_system()");
  // By the data directory that it is called in, by its name, or by what only one of them has.
  EXPECT_EQ(id_of(get({"get-wal", "main", in_old}, data)), old_id);
  EXPECT_EQ(id_of(get({"get-wal", "main", in_new}, upgraded_.data_directory())), new_id);
  EXPECT_EQ(get({"get-wal", "main", in_old}, upgraded_.data_directory()).exit_code, 1);
  EXPECT_EQ(id_of(get({"get-wal", "--cluster", old_id, "main", in_old}, "/")), old_id);
  EXPECT_EQ(id_of(get({"get-wal", "main", in_old}, "/")), old_id);
  EXPECT_EQ(id_of(get({"get-wal", "main", in_new}, "/")), new_id);
  // One that has no backup here must not take that for the end of its WAL.
  const CommandResult strange = get({"get-wal", "--cluster", "42", "main", in_new}, "/");
  EXPECT_EQ(strange.exit_code, 126);
  EXPECT_THAT(strange.err, AllOf(HasSubstr("has the system identifier 42"), HasSubstr("HINT: ")));

  expect_own_histories(data);

  PostgresServer old({.major = kOldMajor,
                      .data_directory = data,
                      .environment = site_.barman.environment_for_restore_command()});
  EXPECT_EQ(old.value("SELECT string_agg(old, ', ') FROM t"),
            "in the backup, in the WAL, in the last segment");
}

// Every command that meets another cluster says what follows it.
TEST_F(FollowUpgrade, EveryCommandSaysHowToGoOn) {
  const std::string step = "After pg_upgrade, run: barman follow-upgrade main. Else correct ";
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"backup", "main"}, {"switch-wal", "main"}, {"receive-wal", "main"}}) {
    const CommandResult result = site_.barman.run(command);
    EXPECT_EQ(result.exit_code, 1) << command.front();
    EXPECT_THAT(result.err, HasSubstr(step)) << command.front();
  }
  EXPECT_THAT(site_.barman.run({"status", "main"}).out, HasSubstr(step));
  // The next receiver told it; what comes is refused.
  site_.receiver().kill(SIGKILL);
  site_.receiver().wait();
  EXPECT_TRUE(
      eventually([&] { return site_.barman.run({"cron"}).err.find(step) != std::string::npos; }));
  const std::string segment = upgraded_.value("SELECT pg_walfile_name(pg_switch_wal())");
  fs::copy_file(upgraded_.data_directory() / "pg_wal" / segment,
                site_.barman.server_directory("main") / "streaming" / segment);
  EXPECT_THAT(site_.barman.run({"archive-wal", "main"}).out, HasSubstr(step));
}

// Before its first backup a server has WAL only, which tells whose it is.
TEST(FollowUpgradeWithoutBackup, PutsTheWalAside) {
  StreamingSite site({.postgres = {.major = kOldMajor}});
  site.start_receiver();
  site.archive_a_segment();
  site.stop_receiver();
  PostgresServer upgraded;
  site.barman.set("main", "conninfo", upgraded.conninfo("barman"));
  site.barman.set("main", "streaming_conninfo", upgraded.conninfo("streaming_barman"));
  EXPECT_THAT(site.barman.run({"check", "main"}).out,
              HasSubstr("systemid coherence: FAILED (the system Id of the connected PostgreSQL "
                        "server changed, backups and WAL in "));
  EXPECT_THAT(site.barman.run({"doctor", "main"}).out, HasSubstr("barman follow-upgrade main\n"));
  const CommandResult result = site.barman.run({"follow-upgrade", "main"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(fs::exists(site.barman.server_directory(kOldName) / "wals"));
  EXPECT_EQ(site.barman.run({"switch-wal", "--force", "--archive", "main"}).exit_code, 0);
  EXPECT_EQ(site.barman.run({"backup", "--wait", "main"}).exit_code, 0);
}

// The second site does as the first one did.
TEST_F(FollowUpgrade, IsFollowedByAPassiveNode) {
  if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  SshServer ssh(site_.barman);
  BarmanHome passive;
  passive.add_section("main", {{"primary_ssh_command", ssh.shell()}});
  const auto synchronise = [&](const std::string& id) {
    return eventually([&] {
      passive.run({"cron"});
      return passive.run({"show-backup", "main", id}).out.find(": DONE") != std::string::npos;
    });
  };
  const std::string old_backup = site_.barman.backup_ids("main").front();
  ASSERT_TRUE(synchronise(old_backup)) << passive.log();

  must({"follow-upgrade", "main"});
  must({"switch-wal", "--force", "--archive", "main"});
  must({"backup", "--wait", "main"});
  const std::string new_backup = site_.barman.backup_ids("main").front();
  const CommandResult refused = passive.run({"cron"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("Nothing of server main is copied"),
                                 HasSubstr("barman follow-upgrade main")));
  const CommandResult followed = passive.run({"follow-upgrade", "main"});
  EXPECT_EQ(followed.exit_code, 0) << followed.err;
  EXPECT_TRUE(synchronise(new_backup)) << passive.log();
  EXPECT_EQ(passive.backup_ids(kOldName), std::vector<std::string>{old_backup});
  EXPECT_EQ(passive.backup_ids("main"), std::vector<std::string>{new_backup});
}

}  // namespace
}  // namespace barman::test
