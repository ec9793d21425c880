// backup_method = rsync: the files of a running PostgreSQL come by rsync through a real sshd.
// Restored backups are started, and have the rows; unchanged files are shared with the backup
// before, changed ones never; what is cut is not copied again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/incremental_site.h"
#include "support/rsync_site.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// One server for many facts.
class RsyncBackup : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!SshServer::is_available()) return;
    site_ = std::make_unique<RsyncSite>(
        kUsualMajor, Settings{{"reuse_backup", "link"}, {"parallel_jobs", "2"}}, kOddData);
    put_odd_names(site_->postgres);
    // What has not changed takes no time from now on.
    expect_done();
  }
  static void TearDownTestSuite() { site_.reset(); }
  void SetUp() override {
    if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  }
  void TearDown() override {
    if (site_) site_->ssh.force_command("");
  }
  static CommandResult backup(const std::vector<std::string>& options = {}) {
    std::vector<std::string> arguments = {"backup"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    arguments.emplace_back("main");
    return site_->barman.run(arguments);
  }
  // A backup that is copying the table `bulk`, for five seconds; `fresh` has arrived already.
  static BackgroundCommand slow_backup() {
    site_->postgres.query("DROP TABLE IF EXISTS bulk, fresh");
    site_->postgres.query("CREATE TABLE fresh TABLESPACE ts AS SELECT generate_series(1, 9) AS id");
    site_->postgres.query(
        "CREATE TABLE bulk AS SELECT g AS id, repeat(md5(g::text), 12) AS text "
        "FROM generate_series(1, 24000) g");
    site_->postgres.query("CHECKPOINT");
    // Asked once: whoever asks PostgreSQL all the time takes the time of the copy.
    const std::string bulk = site_->file_of("bulk");
    const std::string fresh = site_->file_of("fresh");
    const auto written =
        fs::last_write_time(site_->postgres.data_directory() /
                            site_->postgres.value("SELECT pg_relation_filepath('fresh')"));
    const std::size_t before = site_->barman.backup_ids("main").size();
    BackgroundCommand command = site_->barman.spawn({"backup", "--bwlimit", "2000", "main"});
    EXPECT_TRUE(eventually([&] {
      const std::vector<std::string> ids = site_->barman.backup_ids("main");
      if (ids.size() <= before) return false;
      // rsync sets the time of a file when it is whole.
      const fs::path base = site_->base(ids.back());
      return fs::exists(base / bulk) && fs::exists(base / fresh) &&
             fs::last_write_time(base / fresh) == written;
    }));
    return command;
  }
  static CommandResult ended(BackgroundCommand& command) {
    const std::optional<CommandResult> result = command.wait();
    EXPECT_TRUE(result);
    return result.value_or(CommandResult());
  }
  static void expect_done() {
    const CommandResult result = backup({"--wait"});
    ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
    EXPECT_EQ(site_->status_of(site_->newest()), "DONE");
  }

  static inline std::unique_ptr<RsyncSite> site_;
};

TEST_F(RsyncBackup, KilledIsGoneOnWith) {
  BackgroundCommand command = slow_backup();
  command.kill(SIGKILL);
  ended(command);
  const std::string killed = site_->newest();
  const CommandResult next = backup({"--wait", "--manifest"});
  ASSERT_EQ(next.exit_code, 0) << next.out << next.err;
  EXPECT_EQ(site_->status_of(killed), "FAILED");
  const std::string id = site_->newest();
  EXPECT_EQ(status_of_file(site_->base(id) / site_->file_of("fresh")).st_ino,
            status_of_file(site_->base(killed) / site_->file_of("fresh")).st_ino);
  site_->expect_restored_rows(id);
  // What is deleted takes nothing along.
  EXPECT_EQ(site_->barman.run({"delete", "main", killed}).exit_code, 0);
  EXPECT_EQ(site_->barman.run({"verify-backup", "main", id}).exit_code, 0);
}

TEST_F(RsyncBackup, TellsALinkThatLeadsNowhere) {
  const fs::path link = site_->postgres.data_directory() / "a link";
  fs::create_symlink("/nowhere", link);
  const CommandResult result = backup({"--wait"});
  fs::remove(link);
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.err,
              HasSubstr(link.string() + "\" is a symbolic link to nothing: it is not in"));
  EXPECT_EQ(site_->status_of(site_->newest()), "DONE");
}

// What has arrived is read once, and what is linked not at all.
TEST_F(RsyncBackup, ReadsNothingTwiceForItsManifest) {
  for (int round = 0; round < 2; ++round) {
    site_->postgres.query("UPDATE changing SET text = 'again' WHERE id % 1000 = 0");
    site_->postgres.query("CHECKPOINT");
    const CommandResult result = backup({"--wait", "--manifest"});
    ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  }
  const std::string id = site_->newest();
  const CopiedSite::ManifestCounts counts = site_->manifest_counts(id);
  EXPECT_LE(counts.read, 5);  // backup_label and pg_control, and what the clock hides
  EXPECT_GT(counts.copied, 0);
  EXPECT_GT(counts.shared, 100);
  EXPECT_EQ(verified_by_postgres(site_->base(id) / "data", "backup_manifest"), "");
  EXPECT_EQ(site_->barman.run({"verify-backup", "main", id}).exit_code, 0);
  EXPECT_THAT(site_->barman.log(),
              AllOf(HasSubstr("Copy step 1 of 9: [global] starting list of ts [main]\n"),
                    HasSubstr("Copy step 7 of 9: [bucket "),
                    HasSubstr("Copy step 9 of 9: [global] starting pg_control [main]\n")));
}

// One story: each of them fails with its reason, and the next one is taken.
class RsyncFailures : public RsyncBackup {
 protected:
  static void fail_when_the_connection_is_cut() {
    BackgroundCommand command = slow_backup();
    site_->ssh.stop();
    const CommandResult result = ended(command);
    site_->ssh.start();
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, AllOf(HasSubstr("ERROR: The backup has failed copying files\n"),
                                  HasSubstr("HINT: ")));
    EXPECT_EQ(site_->status_of(site_->newest()), "FAILED");
    expect_done();
  }
  static void fail_when_rsync_is_killed() {
    BackgroundCommand command = slow_backup();
    for (const pid_t child : list_children(command.pid())) ::kill(child, SIGKILL);
    const CommandResult result = ended(command);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, AllOf(HasSubstr("ERROR: The backup has failed copying files\n"),
                                  HasSubstr("HINT: ")));
    EXPECT_EQ(site_->status_of(site_->newest()), "FAILED");
  }
  // Those that ssh is, and nothing else.
  static void fail_when_ssh_is_killed() {
    BackgroundCommand command = slow_backup();
    for (const pid_t rsync : list_children(command.pid())) {
      for (const pid_t child : list_children(rsync)) {
        if (fs::read_symlink(fs::path("/proc") / std::to_string(child) / "exe").filename() ==
            "ssh") {
          ::kill(child, SIGKILL);
        }
      }
    }
    const CommandResult result = ended(command);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, AllOf(HasSubstr("cannot reach the host of PostgreSQL ("),
                                  HasSubstr("or the connection was cut"), HasSubstr("HINT: Try")));
    EXPECT_EQ(site_->status_of(site_->newest()), "FAILED");
    expect_done();
  }
  static void refuse_a_second_one() {
    BackgroundCommand command = slow_backup();
    const CommandResult second = backup();
    EXPECT_EQ(second.exit_code, 1);
    EXPECT_THAT(second.err, HasSubstr("ERROR: Another backup process is running\n"
                                      "HINT: Try again when it has ended."));
    EXPECT_EQ(site_->status_of(site_->newest()), "STARTED");
    EXPECT_EQ(ended(command).exit_code, 0);
  }
  static void fail_on_a_full_disk() {
    if (!Tmpfs::is_available()) return;
    constexpr std::uint64_t kMegabyte = std::uint64_t{1} << 20;
    Tmpfs disk(8 * kMegabyte);
    const fs::path place = disk.path() / "base";
    site_->barman.set("main", "basebackups_directory", place.string());
    const CommandResult result = backup();
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, AllOf(HasSubstr(place.string()), HasSubstr("No space left on device"),
                                  HasSubstr("HINT: Free space in the catalogue")));
    const std::string failed = fs::directory_iterator(place)->path().filename();
    EXPECT_EQ(site_->status_of(failed), "FAILED");
    disk.resize(500 * kMegabyte);
    const CommandResult next = backup({"--wait"});
    EXPECT_EQ(next.exit_code, 0) << next.out << next.err;
    for (const auto& entry : fs::directory_iterator(place)) {
      const std::string id = entry.path().filename();
      EXPECT_EQ(site_->status_of(id), id == failed ? "FAILED" : "DONE");
      EXPECT_EQ(site_->barman.run({"delete", "main", id}).exit_code, 0);
    }
    site_->barman.set("main", "basebackups_directory", "");
  }
  static void tell_a_label_that_is_left_there() {
    const fs::path label = site_->postgres.data_directory() / "backup_label";
    site_->postgres.stop();
    write_text(label, "START WAL LOCATION: 0/2000028\n");
    EXPECT_THAT(site_->barman.run({"check", "main"}).out,
                HasSubstr("\tbackup_label: FAILED (PostgreSQL does not answer, and there is \"" +
                          label.string() + "\": "));
    fs::remove(label);
    EXPECT_THAT(site_->barman.run({"check", "main"}).out, Not(HasSubstr("\tbackup_label: ")));
    site_->postgres.start();
    ASSERT_TRUE(eventually([&] { return backup({"--wait"}).exit_code == 0; }));
  }
  static void fail_when_postgres_is_restarted() {
    BackgroundCommand command = slow_backup();
    site_->postgres.restart();
    const CommandResult result = ended(command);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err,
                HasSubstr("Connection to the Postgres server was lost during the backup."));
    EXPECT_EQ(site_->status_of(site_->newest()), "FAILED");
    ASSERT_TRUE(eventually([&] { return backup({"--wait"}).exit_code == 0; }));
  }
  static void fail_when_its_end_is_refused() {
    BackgroundCommand command = slow_backup();
    site_->postgres.query("REVOKE EXECUTE ON FUNCTION pg_backup_stop(bool) FROM barman, public");
    const CommandResult result = ended(command);
    site_->postgres.query("GRANT EXECUTE ON FUNCTION pg_backup_stop(bool) TO barman");
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(
        result.err,
        AllOf(HasSubstr("The backup has failed issuing stop backup command (native concurrent)"),
              HasSubstr("permission denied for function pg_backup_stop")));
    EXPECT_EQ(site_->status_of(site_->newest()), "FAILED");
    expect_done();
  }
  static void fail_at_a_file_that_it_cannot_read() {
    const fs::path unreadable = site_->postgres.data_directory() / "base/unreadable";
    write_text(unreadable, "x");
    fs::permissions(unreadable, fs::perms::none);
    const CommandResult result = backup();
    fs::remove(unreadable);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, AllOf(HasSubstr("Permission denied"),
                                  HasSubstr("HINT: Let ssh_command log in as the user")));
    EXPECT_EQ(site_->status_of(site_->newest()), "FAILED");
  }
  // conninfo and ssh_command lead to different servers of the same cluster, say.
  static void refuse_files_of_another_server() {
    const fs::path pid_file = site_->postgres.data_directory() / "postmaster.pid";
    const std::string text = read_text(pid_file);
    std::string other = text;
    const std::string port = "\n" + std::to_string(site_->postgres.port()) + "\n";
    ASSERT_NE(other.find(port), std::string::npos);
    write_text(pid_file, other.replace(other.find(port), port.size(), "\n1\n"));
    const CommandResult result = backup();
    write_text(pid_file, text);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, AllOf(HasSubstr("another server runs in it"),
                                  HasSubstr("HINT: Correct ssh_command or conninfo")));
  }
};

TEST_F(RsyncFailures, HaveReasonsAndTheNextBackupIsTaken) {
  fail_when_the_connection_is_cut();
  fail_when_rsync_is_killed();
  fail_when_ssh_is_killed();
  refuse_a_second_one();
  fail_on_a_full_disk();
  fail_when_postgres_is_restarted();
  fail_when_its_end_is_refused();
  fail_at_a_file_that_it_cannot_read();
  refuse_files_of_another_server();
  tell_a_label_that_is_left_there();
}

TEST_F(RsyncBackup, TriesACutConnectionAgain) {
  site_->barman.set("main", "basebackup_retry_times", "60");
  site_->barman.set("main", "basebackup_retry_sleep", "1");
  BackgroundCommand command = slow_backup();
  site_->ssh.stop();
  site_->ssh.start();
  const CommandResult result = ended(command);
  site_->barman.set("main", "basebackup_retry_times", "0");
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  site_->expect_restored_rows(site_->newest());
}

TEST_F(RsyncBackup, HoldsWhatIsLeftOfADatabaseThatIsDroppedMeanwhile) {
  site_->postgres.query("CREATE DATABASE gone");
  site_->postgres.query("CREATE TABLE grows AS SELECT 1 AS id");
  BackgroundCommand command = slow_backup();
  site_->postgres.query("DROP DATABASE gone");
  // Cut while rsync is at it.
  site_->postgres.query("DELETE FROM bulk WHERE id > 10");
  site_->postgres.query("VACUUM (TRUNCATE) bulk");
  EXPECT_TRUE(command.is_running());
  site_->postgres.query("TRUNCATE there");
  site_->postgres.query("INSERT INTO grows SELECT generate_series(2, 100000)");
  site_->postgres.query("INSERT INTO there SELECT g, 'again' FROM generate_series(1, 100) g");
  const CommandResult result = ended(command);
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  site_->expect_restored_rows(site_->newest());
}

TEST_F(RsyncBackup, HoldsTablespacesInsideAndFilesOutside) {
  PostgresServer& postgres = site_->postgres;
  const TempDir outside;
  const fs::path inner = postgres.data_directory() / "inner\n[1]";
  fs::create_directory(inner);
  postgres.query("CREATE TABLESPACE inner_one LOCATION '" + inner.string() + "'");
  postgres.query("ALTER SYSTEM SET allow_in_place_tablespaces = on");
  postgres.restart();
  postgres.query("CREATE TABLESPACE in_place LOCATION ''");
  postgres.query("CREATE TABLE inside TABLESPACE inner_one AS SELECT generate_series(1, 300) id");
  postgres.query("CREATE TABLE placed TABLESPACE in_place AS SELECT generate_series(1, 200) id");
  fs::copy_file(postgres.data_directory() / "pg_hba.conf", outside.path() / "hba.conf");
  write_text(outside.path() / "included.conf", "# nothing\nwork_mem = '5MB'\n");
  postgres.query("ALTER SYSTEM SET hba_file = '" + (outside.path() / "hba.conf").string() + "'");
  const fs::path conf = postgres.data_directory() / "postgresql.conf";
  const std::string text = read_text(conf);
  write_text(conf, text + "include '" + (outside.path() / "included.conf").string() + "'\n");
  postgres.restart();
  CommandResult result;
  ASSERT_TRUE(eventually([&] {
    result = backup({"--wait"});
    return result.exit_code == 0;
  })) << result.out
      << result.err;
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("Please manually backup the following files:"),
                    HasSubstr("\t" + (outside.path() / "included.conf").string() + "\n")));
  const std::string id = site_->newest();
  EXPECT_TRUE(fs::exists(site_->base(id) / "data/hba.conf"));
  EXPECT_FALSE(fs::exists(site_->base(id) / "data/inner\n[1]"));
  EXPECT_TRUE(fs::exists(site_->base(id) / site_->file_of("inside")));
  EXPECT_FALSE(fs::is_empty(site_->base(id) / "data/pg_tblspc" / site_->oid_of("in_place")));
  {
    const TempDir place;
    const CopiedRestore restored(*site_, id,
                                 {"--tablespace", "inner_one:" + (place.path() / "in").string()});
    ASSERT_EQ(restored.result.exit_code, 0) << restored.result.out << restored.result.err;
    // The files outside are those of the source.
    PostgresServer copy(
        {.settings = {{"allow_in_place_tablespaces", "on"}}, .data_directory = restored.data});
    copy.wait_until_primary();
    EXPECT_EQ(all_rows(copy), all_rows(postgres));
  }
  write_text(conf, text);
  postgres.query("ALTER SYSTEM RESET hba_file");
  postgres.query("DROP TABLE inside, placed");
  postgres.query("DROP TABLESPACE inner_one");
  postgres.query("DROP TABLESPACE in_place");
  fs::remove_all(inner);
  postgres.restart();
}

// Rules are separated by blanks, as Barman accepts them, or by commas, as its manual shows them.
TEST_F(RsyncBackup, LimitsEachTablespaceByItsOwnRule) {
  const TempDir places;
  for (const std::string name : {"two", "three"}) {
    fs::create_directory(places.path() / name);
    site_->postgres.query("CREATE TABLESPACE " + name + " LOCATION '" +
                          (places.path() / name).string() + "'");
    site_->postgres.query("CREATE TABLE in_" + name + " TABLESPACE " + name +
                          " AS SELECT generate_series(1, 9) AS id");
  }
  site_->barman.set("main", "bandwidth_limit", "90000");
  site_->barman.set("main", "tablespace_bandwidth_limit", "ts:3001,two:20002 absent:1");
  const CommandResult result = backup({"--wait", "--jobs", "1"});
  ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  const fs::path base = site_->base(site_->newest());
  // Of the first rsync that has written files there and had one; small files at the end have none.
  const std::vector<std::string> lines = split(site_->barman.log(), '\n');
  const auto limit_of = [&](const std::string& name) -> std::string {
    const std::string directory = " " + (base / name).string() + "/";
    constexpr std::string_view kOption = " --bwlimit=";
    for (const std::string& line : lines) {
      const std::size_t option = line.find(kOption);
      if (option == std::string::npos || line.find(directory) == std::string::npos) continue;
      const std::size_t value = option + kOption.size();
      return line.substr(value, line.find(' ', value) - value);
    }
    return "none";
  };
  EXPECT_EQ(limit_of(site_->oid_of("ts")), "3001");
  EXPECT_EQ(limit_of(site_->oid_of("two")), "20002");
  EXPECT_EQ(limit_of(site_->oid_of("three")), "90000");
  EXPECT_EQ(limit_of("data"), "90000");
  for (const char* option : {"bandwidth_limit", "tablespace_bandwidth_limit"}) {
    site_->barman.set("main", option, "");
  }
  for (const std::string name : {"two", "three"}) {
    site_->postgres.query("DROP TABLE in_" + name);
    site_->postgres.query("DROP TABLESPACE " + name);
  }
}

TEST_F(RsyncBackup, NeedsAKeyForRsyncOnly) {
  if (!fs::exists("/usr/bin/rrsync")) GTEST_SKIP() << "rrsync is not installed";
  site_->ssh.force_command("/usr/bin/rrsync -ro /");
  const CommandResult check = site_->barman.run({"check", "main"});
  EXPECT_THAT(check.out, HasSubstr("\tssh: OK (PostgreSQL server)\n"));
  expect_done();
  // For one directory rrsync does not follow links.
  const std::string newest = site_->newest();
  for (const auto& [command, reason] :
       Settings{{"/usr/bin/rrsync -ro /tmp", "allows rsync for one directory only"},
                {"/usr/bin/rrsync -wo /", "may write only"}}) {
    site_->ssh.force_command(command);
    const CommandResult told = site_->barman.run({"check", "main"});
    EXPECT_EQ(told.exit_code, 1);
    EXPECT_THAT(told.out, AllOf(HasSubstr("\tssh: FAILED (the key for "), HasSubstr(reason),
                                HasSubstr("command=\"rrsync -ro /\"")));
    const CommandResult refused = backup();
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_THAT(refused.err, AllOf(HasSubstr("Impossible to start the backup"), HasSubstr(reason)));
  }
  EXPECT_EQ(site_->newest(), newest) << "one was begun";
  // What a restore onto that host needs, such a key cannot do.
  const TempDir place;
  const CommandResult restore =
      site_->barman.run({"restore", "--remote-ssh-command", site_->ssh.shell(), "main", newest,
                         (place.path() / "data").string()});
  site_->ssh.force_command("");
  EXPECT_EQ(restore.exit_code, 1);
  EXPECT_THAT(restore.err, HasSubstr("HINT: The key may run nothing but rsync there"));
}

TEST_F(RsyncBackup, SaysWhatIsWrongWithSsh) {
  const auto check = [&](const std::string& text) {
    const CommandResult result = site_->barman.run({"check", "main"});
    EXPECT_NE(result.exit_code, 0);
    EXPECT_THAT(result.out, HasSubstr(text));
    const CommandResult refused = backup();
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_THAT(refused.err, HasSubstr("Impossible to start the backup."));
  };
  site_->ssh.force_command("echo hello; eval \"$SSH_ORIGINAL_COMMAND\"");
  check("ssh output clean: FAILED (the configured ssh_command must not add anything");
  const std::string shell = site_->ssh.shell();
  site_->barman.set("main", "ssh_command", shell + " -o IdentityFile=/dev/null -F /dev/null");
  check("ssh: FAILED (Connection failed using ");
  // The host was another one when it was met first.
  const TempDir known;
  run_checked({.argv = {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                        (known.path() / "key").string()}});
  const std::string key = read_text(known.path() / "key.pub");
  const std::string port = shell.substr(shell.find(" -p ") + 4);
  write_text(known.path() / "hosts", "[127.0.0.1]:" + port.substr(0, port.find(' ')) + " " + key);
  site_->ssh.force_command("");
  site_->barman.set("main", "ssh_command",
                    shell + " -o StrictHostKeyChecking=yes -o UserKnownHostsFile=" +
                        (known.path() / "hosts").string());
  check("Host key verification failed");
  site_->barman.set("main", "ssh_command", shell);
  // Nothing was begun.
  EXPECT_NE(site_->status_of(site_->newest()), "FAILED");

  site_->ssh.force_command("PATH=/nowhere; eval \"$SSH_ORIGINAL_COMMAND\"");
  const CommandResult missing = backup();
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.err, AllOf(HasSubstr("there is no rsync on the host of PostgreSQL"),
                                 HasSubstr("Install rsync there")));
}

// Those of another file system, here; immutable ones are refused in the same way.
TEST_F(RsyncBackup, CopiesWhatCannotBeLinkedAndSaysSo) {
  if (!Tmpfs::is_available()) GTEST_SKIP() << Tmpfs::kUnavailable;
  expect_done();
  const std::string one = site_->newest();
  const Tmpfs disk(std::uint64_t{500} << 20);
  run_checked({.argv = {"cp", "-a", (site_->base(one) / "data").string(), disk.path().string()}});
  fs::remove_all(site_->base(one) / "data");
  fs::create_directory_symlink(disk.path() / "data", site_->base(one) / "data");
  const CommandResult result = backup({"--wait"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.err, HasSubstr("WARNING: Files that have not changed are copied: reuse_backup "
                                    "= link cannot link those of backup " +
                                    one + " (Invalid cross-device link)."));
  const std::string two = site_->newest();
  const std::string still = site_->file_of("still");
  EXPECT_FALSE(site_->is_shared(one, two, still));
  EXPECT_EQ(read_text(site_->base(two) / still), read_text(site_->base(one) / still));
  site_->expect_restored_rows(two);
  fs::remove(site_->base(one) / "data");
  EXPECT_EQ(site_->barman.run({"delete", "main", one}).exit_code, 0);
}

TEST_F(RsyncBackup, TellsCorruptPages) {
  site_->postgres.query("CREATE TABLE damaged AS SELECT generate_series(1, 2000) AS id");
  site_->postgres.query("CHECKPOINT");
  const std::string path = site_->postgres.value("SELECT pg_relation_filepath('damaged')");
  site_->postgres.stop();
  std::string content = read_text(site_->postgres.data_directory() / path);
  content[8192 + 5000] = static_cast<char>(content[8192 + 5000] ^ 1);
  write_text(site_->postgres.data_directory() / path, content);
  site_->postgres.start();
  CommandResult result;
  ASSERT_TRUE(eventually([&] {
    result = backup({"--wait"});
    return result.err.find("corrupt pages") != std::string::npos;
  })) << result.out
      << result.err;
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("1 in total, " + path + ": block 1"));
  EXPECT_EQ(site_->status_of(site_->newest()), "DONE");
  site_->postgres.query("DROP TABLE damaged");
}

}  // namespace
}  // namespace barman::test
