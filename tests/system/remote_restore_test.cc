// Restores onto another host, through a real sshd behind which nothing of barman's is used: only a
// shell and tar. Every form of a backup becomes a cluster there that starts and has its rows; what
// fails leaves a directory on which PostgreSQL does not start.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

#include "base/test_support.h"
#include "base/text.h"
#include "encryption/test_support.h"
#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/incremental_site.h"
#include "support/privileges.h"
#include "support/rsync_site.h"
#include "support/ssh_server.h"
#include "support/tcp_proxy.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;

using Arguments = std::vector<std::string>;

const Settings kEncrypted = {{"encryption", "gpg"},
                             {"encryption_key_id", encryption::TestKeyring::kKey},
                             {"encryption_passphrase_command", "echo open sesame"}};

// A place on "the other host", with names that no shell takes as they are.
struct Place {
  TempDir directory;
  fs::path root = directory.path() / "it's \"a\" $place/-über";
  fs::path data = root / "data";
  fs::path tablespace = root / "ts";
};

class RemoteRestore : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!SshServer::is_available()) return;
    keyring_ = std::make_unique<encryption::TestKeyring>();
    site_ = std::make_unique<IncrementalSite>();
    ssh_ = std::make_unique<SshServer>(site_->barman);
    // What must not happen to the archive of the source.
    site_->postgres.query("ALTER SYSTEM SET archive_command = 'false # of the source'");
    put_odd_names(site_->postgres);
    full_ = site_->take_backup();
    rows_ = all_rows(site_->postgres);
  }
  static void TearDownTestSuite() {
    ssh_.reset();
    site_.reset();
    keyring_.reset();
  }
  void SetUp() override {
    if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  }

  static std::string remote_command(int port) {
    return "ssh -p " + std::to_string(port) + " " + user_name() + "@127.0.0.1";
  }
  static CommandRequest request(const std::string& backup, const Place& place,
                                const Arguments& options = {}, const std::string& command = "") {
    Arguments arguments = {"restore", "--remote-ssh-command",
                           command.empty() ? remote_command(ssh_->port()) : command, "--tablespace",
                           "ts:" + place.tablespace.string()};
    arguments.insert(arguments.end(), options.begin(), options.end());
    arguments.insert(arguments.end(), {"main", backup, place.data.string()});
    CommandRequest request = site_->barman.request(arguments);
    request.environment.merge(ssh_->environment());
    return request;
  }

  static void expect_rows(const std::string& backup, const std::map<std::string, Rows>& rows,
                          const Arguments& options = {}) {
    const Place place;
    const CommandResult result = run_command(request(backup, place, options));
    ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
    EXPECT_THAT(
        result.out,
        AllOf(HasSubstr("Starting remote restore for server main using backup " + backup + "\n"),
              HasSubstr("\nRemote command: " + remote_command(ssh_->port())),
              HasSubstr("archive_command = false")));
    EXPECT_TRUE(fs::exists(place.data / ("backup_manifest." + backup)));
    EXPECT_FALSE(fs::exists(place.data / ".barman-restoring"));
    EXPECT_FALSE(fs::exists(place.tablespace / ".barman-restoring"));
    for (const std::string& name : odd_names()) {
      EXPECT_EQ(read_text(place.data / name), "odd") << name;
    }
    const PostgresServer copy({.data_directory = place.data});
    EXPECT_EQ(all_rows(copy), rows);
    EXPECT_EQ(copy.value("SELECT string_agg(setting, ',') FROM pg_file_settings "
                         "WHERE name = 'archive_command'"),
              "false");
    EXPECT_EQ(copy.value("SELECT pg_tablespace_location(oid) FROM pg_tablespace "
                         "WHERE spcname = 'ts'"),
              place.tablespace.string());
  }

  // What is told, and what is left: nothing that starts, and nothing of the source's settings.
  static std::string refusal(const CommandRequest& asked, const Place& place) {
    const CommandResult result = run_command(asked);
    EXPECT_EQ(result.exit_code, 1) << result.out;
    EXPECT_FALSE(fs::exists(place.data / "global/pg_control"));
    EXPECT_FALSE(fs::exists(place.data / "postgresql.auto.conf"));
    return result.err;
  }

  static std::unique_ptr<encryption::TestKeyring> keyring_;
  static std::unique_ptr<IncrementalSite> site_;
  static std::unique_ptr<SshServer> ssh_;
  static std::string full_;
  // At its end.
  static std::map<std::string, Rows> rows_;
};

std::unique_ptr<encryption::TestKeyring> RemoteRestore::keyring_;
std::unique_ptr<IncrementalSite> RemoteRestore::site_;
std::unique_ptr<SshServer> RemoteRestore::ssh_;
std::string RemoteRestore::full_;
std::map<std::string, Rows> RemoteRestore::rows_;

TEST_F(RemoteRestore, EveryFormBecomesACluster) {
  site_->postgres.query("UPDATE changing SET text = 'new' WHERE id % 100 = 0");
  const std::string incremental = site_->take_incremental(full_);
  const auto rows = all_rows(site_->postgres);
  expect_rows(incremental, rows);
  site_->barman.set("main", "backup_compression", "zstd");
  const std::string packed = site_->take_backup();
  expect_rows(packed, rows, {"--network-compression"});
  std::string last = packed;
  for (const char* const text : {"newer", "newer still"}) {
    site_->postgres.query("UPDATE changing SET text = '" + std::string(text) +
                          "' WHERE id % 50 = 0");
    last = site_->take_incremental(last);
  }
  expect_rows(last, all_rows(site_->postgres));
  // Archives on top of files.
  const std::string mixed = site_->take_incremental(incremental);
  expect_rows(mixed, all_rows(site_->postgres));
  for (const auto& [option, value] : kEncrypted) site_->barman.set("main", option, value);
  const std::string secret = site_->take_backup();
  site_->postgres.query("UPDATE changing SET text = 'newest' WHERE id % 70 = 0");
  const std::string secret_incremental = site_->take_incremental(secret);
  const auto last_rows = all_rows(site_->postgres);
  expect_rows(secret, last_rows);
  expect_rows(secret_incremental, last_rows);
  site_->barman.set("main", "encryption", "");
  site_->barman.set("main", "backup_compression", "");
}

struct RemoteForm {
  // Of the backup, and who compresses it.
  std::string algorithm;
  std::string location;
  // Of the WAL, and how such a file begins.
  std::string wal;
  std::string magic;
  Settings more = {};
};

// zstd is above.
TEST_F(RemoteRestore, EveryCompressionOfBackupsAndWalBecomesACluster) {
  const std::vector<RemoteForm> forms = {
      {"gzip", "client", "bzip2", "BZh"},           {"gzip", "server", "gzip", "\x1f\x8b"},
      {"lz4", "client", "lz4", "\x04\x22\x4d\x18"}, {"none", "client", "xz", "\3757zXZ"},
      {"gzip", "client", "zstd", "", kEncrypted},   {"lz4", "client", "lz4", "", kEncrypted},
      {"none", "client", "none", "", kEncrypted}};
  for (auto form = forms.begin() + first_of_stride(3); form < forms.end(); form += stride(3)) {
    SCOPED_TRACE(form->algorithm + " " + form->location + " " + form->wal);
    Settings settings = form->more;
    settings.merge(Settings{{"backup_compression", form->algorithm},
                            {"backup_compression_location", form->location},
                            {"compression", form->wal}});
    for (const auto& [option, value] : settings) site_->barman.set("main", option, value);
    site_->stop_receiver();
    site_->start_receiver();
    const std::string full = site_->take_backup();
    site_->postgres.query("UPDATE changing SET text = 'of " + form->wal + "' WHERE id % 90 = 0");
    const std::string last = form->more.empty() ? site_->take_incremental(full) : full;
    site_->postgres.query("UPDATE changing SET text = 'in the WAL' WHERE id % 90 = 1");
    site_->archive_a_segment();
    const std::string wal = archived_wal_names(site_->barman, "main").back();
    const std::string stored = read_text(archived_wal(site_->barman, "main", wal));
    // A session key for somebody is the first packet of OpenPGP.
    EXPECT_TRUE(form->more.empty() ? stored.starts_with(form->magic)
                                   : (static_cast<unsigned char>(stored[0]) & 0xFCU) == 0x84U);
    expect_rows(last, all_rows(site_->postgres));
  }
  for (const char* const option :
       {"backup_compression", "backup_compression_location", "compression", "encryption"}) {
    site_->barman.set("main", option, "");
  }
  site_->stop_receiver();
  site_->start_receiver();
}

TEST_F(RemoteRestore, RecoveryEndsAtItsTarget) {
  site_->postgres.query("CREATE TABLE mark AS SELECT 'before' AS text");
  site_->postgres.query("SELECT pg_create_restore_point('half way')");
  const auto rows = all_rows(site_->postgres);
  site_->postgres.query("INSERT INTO mark VALUES ('after')");
  site_->archive_a_segment();
  const Place place;
  const CommandResult result = run_command(
      request(full_, place, {"--target-name", "half way", "--target-action", "promote"}));
  ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("\nDoing PITR. Recovery target name: 'half way'\n"));
  EXPECT_TRUE(fs::exists(place.data / "barman_wal"));
  {
    PostgresServer copy({.data_directory = place.data});
    copy.wait_until_primary();
    EXPECT_EQ(all_rows(copy), rows);
  }
  site_->postgres.query("DROP TABLE mark");
}

TEST_F(RemoteRestore, RecoveryEndsWhereItIsConsistentAtATransactionOrAPosition) {
  site_->postgres.query("CREATE TABLE mark AS SELECT 'before' AS text");
  const auto rows_before = all_rows(site_->postgres);
  const std::string lsn = site_->postgres.value("SELECT pg_current_wal_lsn()");
  const std::string xid = site_->postgres.value(
      "WITH row AS (INSERT INTO mark VALUES ('in') RETURNING 1) SELECT pg_current_xact_id() "
      "FROM row");
  const auto rows_after = all_rows(site_->postgres);
  site_->postgres.query("INSERT INTO mark VALUES ('after')");
  site_->archive_a_segment();
  const auto expect = [&](const Arguments& target, const std::map<std::string, Rows>& rows) {
    const Place place;
    Arguments options = target;
    options.insert(options.end(), {"--target-action", "promote"});
    const CommandResult result = run_command(request(full_, place, options));
    ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
    PostgresServer copy({.data_directory = place.data});
    copy.wait_until_primary();
    EXPECT_EQ(all_rows(copy), rows) << target.front();
  };
  expect({"--target-immediate"}, rows_);
  expect({"--target-xid", xid}, rows_after);
  expect({"--target-lsn", lsn}, rows_before);
  site_->postgres.query("DROP TABLE mark");
}

TEST_F(RemoteRestore, GetWalIsConfiguredForTheOtherHost) {
  const Place place;
  const CommandResult result = run_command(
      request(full_, place, {"--get-wal", "--recovery-option-port", "2222", "--jobs", "3"}));
  ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  const std::string settings = read_text(place.data / "postgresql.auto.conf");
  EXPECT_THAT(settings, HasSubstr("\n\n# The 'barman-wal-restore' command is provided in the "
                                  "'barman-cli' package\nrestore_command = 'barman-wal-restore -P "
                                  "-U "));
  EXPECT_THAT(settings, HasSubstr(" --port 2222 "));
  EXPECT_THAT(settings, HasSubstr(" main %f %p -p 3'\n"));
  EXPECT_TRUE(fs::exists(place.data / "recovery.signal"));
}

TEST_F(RemoteRestore, NothingIsSentWhenTheHostIsNotFit) {
  const Place place;
  TcpProxy closed(ssh_->port());
  closed.cut();
  EXPECT_THAT(refusal(request(full_, place, {}, remote_command(closed.port())), place),
              AllOf(HasSubstr("ERROR: Unable to connect to the target host using the command '"),
                    HasSubstr("exit code 255"),
                    HasSubstr("Try the command of "
                              "--remote-ssh-command by hand")));
  // A host with all but tar.
  const fs::path programs = place.directory.path() / "bin";
  fs::create_directory(programs);
  for (const char* name : {"sh", "ls", "mkdir", "rm", "ln", "mv", "chmod", "sync", "df"}) {
    fs::create_symlink(fs::path("/bin") / name, programs / name);
  }
  EXPECT_THAT(refusal(request(full_, place, {},
                              remote_command(ssh_->port()) + " env PATH=" + programs.string()),
                      place),
              AllOf(HasSubstr("cannot take a restore: "), HasSubstr("there is no tar")));
  EXPECT_FALSE(fs::exists(place.root));

  fs::create_directories(place.data);
  write_text(place.data / "file", "of somebody");
  EXPECT_THAT(refusal(request(full_, place), place),
              HasSubstr("The restore operation cannot proceed because the destination folder '" +
                        place.data.string() + "' is not empty"));
  fs::remove(place.data / "file");
  fs::create_directories(place.tablespace);
  write_text(place.tablespace / "file", "of somebody");
  EXPECT_THAT(refusal(request(full_, place), place),
              HasSubstr("for the tablespace 'ts' is not empty"));
  EXPECT_TRUE(fs::is_empty(place.data));
}

TEST_F(RemoteRestore, ACutConnectionLeavesNothingThatStarts) {
  const Place place;
  TcpProxy network(ssh_->port());
  BackgroundCommand restore(
      request(full_, place, {"--bwlimit", "2000"}, remote_command(network.port())));
  ASSERT_TRUE(eventually([&] { return fs::exists(place.data / "base/1"); })) << restore.err();
  network.cut();
  const auto result = restore.wait();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->exit_code, 1);
  EXPECT_THAT(result->err, AllOf(HasSubstr("Failure copying base backup: cannot write \""),
                                 HasSubstr("of the destination host: "), HasSubstr("exit code 255"),
                                 HasSubstr("is incomplete: it has no global/pg_control")));
  EXPECT_THAT(result->err, HasSubstr("Go on with --resume"));
  EXPECT_FALSE(fs::exists(place.data / "global/pg_control"));
  EXPECT_FALSE(fs::exists(place.data / "postgresql.conf"));
  EXPECT_TRUE(fs::exists(place.data / ".barman-restoring"));
  network.pass();
  const CommandResult again = run_command(request(full_, place, {"--resume"}));
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr(" were there already."));
  PostgresServer copy({.data_directory = place.data});
  EXPECT_EQ(copy.value("SELECT count(*) > 0 FROM changing"), "t");
}

// The places of the interrupted restore are not said again.
CommandRequest resuming(CommandRequest asked) {
  const auto rule = std::find(asked.argv.begin(), asked.argv.end(), "--tablespace");
  asked.argv.erase(rule, rule + 2);
  asked.argv.insert(asked.argv.end() - 3, "--resume");
  return asked;
}

// kill -9 of ours, when something has come into being there; each time the next run goes on.
TEST_F(RemoteRestore, GoesOnAfterAKillAtAnyPoint) {
  const Place place;
  const std::vector<fs::path> points = {place.data / ".barman-restoring",
                                        place.tablespace / "PG_17_202406281", place.data / "base/5",
                                        place.data / "global/1262"};
  bool is_first = true;
  for (const fs::path& point : points) {
    CommandRequest asked = request(full_, place, {"--jobs", "2", "--bwlimit", "15000"});
    BackgroundCommand restore(is_first ? asked : resuming(asked));
    is_first = false;
    ASSERT_TRUE(eventually([&] { return fs::exists(point) || !restore.is_running(); }));
    restore.kill(SIGKILL);
    const auto killed = restore.wait();
    ASSERT_TRUE(killed);
    ASSERT_EQ(killed->exit_code, 137) << point << killed->out << killed->err;
    EXPECT_FALSE(fs::exists(place.data / "global/pg_control")) << point;
    const fs::path settings = place.data / "postgresql.auto.conf";
    EXPECT_TRUE(!fs::exists(settings) ||
                read_text(settings).find("of the source") == std::string::npos)
        << point;
    ASSERT_TRUE(eventually([&] { return fs::exists(place.data / ".barman-restoring"); })) << point;
  }
  EXPECT_THAT(
      refusal(request(full_, place), place),
      HasSubstr("It holds an interrupted restore of this backup: --resume goes on with it"));
  const CommandResult resumed = run_command(resuming(request(full_, place)));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_THAT(resumed.out, HasSubstr(" were there already."));
  PostgresServer copy({.data_directory = place.data});
  EXPECT_EQ(copy.value("SELECT count(*) > 0 FROM changing"), "t");
  EXPECT_EQ(copy.value("SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = "
                       "'ts'"),
            place.tablespace.string());
}

TEST_F(RemoteRestore, DeltaRestoreBringsAClusterBack) {
  const Place place;
  ASSERT_EQ(run_command(request(full_, place)).exit_code, 0);
  std::map<std::string, Rows> rows;
  std::string newest;
  {
    PostgresServer copy({.data_directory = place.data});
    copy.wait_until_primary();
    rows = all_rows(copy);
    copy.query("CREATE TABLE later AS SELECT generate_series(1, 1000) AS id");
    copy.query("UPDATE changing SET text = 'wrong'");
    const CommandResult running =
        run_command(request(full_, place, {"--delta-restore", "--jobs", "2"}));
    EXPECT_EQ(running.exit_code, 1);
    EXPECT_THAT(running.err, HasSubstr("PostgreSQL runs on it (pid "));
    EXPECT_EQ(copy.value("SELECT count(*) FROM later"), "1000");
    newest = copy.value("SELECT pg_walfile_name(pg_current_wal_lsn())");
    copy.kill_9();
  }
  write_text(place.data / "of somebody", "x");
  const CommandResult planned =
      run_command(request(full_, place, {"--delta-restore", "--dry-run"}));
  EXPECT_EQ(planned.exit_code, 0) << planned.err;
  EXPECT_TRUE(fs::exists(place.data / "global/pg_control"));
  const CommandResult result = run_command(
      request(full_, place, {"--delta-restore", "--jobs", "2", "--staging-path", "/tmp"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr(" were there already."));
  // Its own newest segment, which nothing else has, can be fetched from there.
  EXPECT_THAT(result.err, AllOf(HasSubstr("On the destination host: "), HasSubstr(newest)));
  const std::string begin = "run on the host of barman \"";
  const std::size_t at = result.err.find(begin);
  ASSERT_NE(at, std::string::npos) << result.err;
  const std::string command = result.err.substr(
      at + begin.size(), result.err.find(" | barman put-wal main", at) - at - begin.size());
  const CommandResult fetched = run_command(
      {.argv = {"/bin/sh", "-c", command + " | tar -tf -"}, .environment = ssh_->environment()});
  EXPECT_THAT(fetched.out, AllOf(HasSubstr("SHA256SUMS"), HasSubstr(newest + ".partial\n")))
      << command << fetched.err;
  {
    PostgresServer copy({.data_directory = place.data});
    EXPECT_EQ(all_rows(copy), rows);
    EXPECT_EQ(copy.value("SELECT to_regclass('later') IS NULL"), "t");
  }
  // What is no cluster of this backup stays as it is.
  const Place other;
  fs::create_directories(other.data);
  write_text(other.data / "file", "of somebody");
  const CommandResult refused = run_command(request(full_, other, {"--delta-restore"}));
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("it is not a PostgreSQL data directory"));
  EXPECT_TRUE(fs::exists(other.data / "file"));
  // Nothing says that the tablespace is of this cluster.
  fs::create_directories(other.tablespace / "PG_17_202406281");
  fs::remove(other.data / "file");
  EXPECT_THAT(refusal(request(full_, other, {"--delta-restore"}), other),
              HasSubstr("nothing in '" + other.data.string() + "' says that it belongs to it"));
}

// What a restore here writes, too: whatever the target, only the places differ.
TEST_F(RemoteRestore, EachTargetIsWrittenAsHere) {
  const std::string after = site_->postgres.value("SELECT now() + interval '1 hour'");
  for (const Arguments& options :
       std::vector<Arguments>{{"--target-time", after, "--exclusive", "--skip-wal-check"},
                              {"--target-lsn", site_->postgres.value("SELECT pg_current_wal_lsn()"),
                               "--target-action", "shutdown", "--skip-wal-check", "--partial-wal"},
                              {"--target-tli", "current", "--standby-mode"}}) {
    const Place here;
    const Place there;
    CommandRequest local = request(full_, here, options);
    const auto remote = std::find(local.argv.begin(), local.argv.end(), "--remote-ssh-command");
    local.argv.erase(remote, remote + 2);
    const CommandResult made_here = run_command(local);
    const CommandResult made_there = run_command(request(full_, there, options));
    ASSERT_EQ(made_here.exit_code, 0) << options.front() << made_here.err;
    ASSERT_EQ(made_there.exit_code, 0) << options.front() << made_there.err;
    const auto settings_of = [](const Place& place) {
      return replace_all(read_text(place.data / "postgresql.auto.conf"),
                         place.directory.path().string(), "PLACE");
    };
    EXPECT_EQ(settings_of(there), settings_of(here)) << options.front();
    for (const char* const name : {"recovery.signal", "standby.signal", "barman_wal", "pg_wal"}) {
      EXPECT_EQ(fs::exists(there.data / name), fs::exists(here.data / name))
          << options.front() << name;
    }
  }
}

// The other host fetches its WAL from this one, through ssh, by the command it is told.
TEST_F(RemoteRestore, GetWalRecoversOnTheOtherHost) {
  // Behind the WAL that other tests have archived encrypted: the barman there has no key.
  const std::string backup = site_->take_backup();
  site_->postgres.query("CREATE TABLE fetched AS SELECT 1 AS id");
  site_->postgres.query("SELECT pg_create_restore_point('fetched')");
  site_->archive_a_segment();
  const Place place;
  const CommandResult result = run_command(request(
      backup, place,
      {"--get-wal", "--restore-command", ssh_->command("barman-wal-restore") + " main %f %p",
       "--target-name", "fetched", "--target-action", "promote"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("Custom restore command override"));
  EXPECT_TRUE(fs::is_empty(place.data / "pg_wal"));
  {
    PostgresServer copy({.data_directory = place.data, .environment = ssh_->environment()});
    copy.wait_until_primary();
    EXPECT_EQ(copy.value("SELECT id FROM fetched"), "1");
  }
  site_->postgres.query("DROP TABLE fetched");
}

// A login shell that talks, and another one than sh.
TEST_F(RemoteRestore, AnyLoginShellWillDo) {
  const char* const shell = fs::exists("/usr/bin/tcsh") ? "/usr/bin/tcsh" : "/bin/bash";
  SshServer talking(site_->barman, {.more_configuration =
                                        std::string("ForceCommand echo 'Welcome to db2!'; exec ") +
                                        shell + " -c \"$SSH_ORIGINAL_COMMAND\"\n"});
  const Place place;
  const auto asked = [&](const Arguments& options) {
    CommandRequest made = request(full_, place, options, remote_command(talking.port()));
    made.environment["PATH"] = talking.environment().at("PATH");
    return made;
  };
  const CommandResult result = run_command(asked({}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  fs::resize_file(place.data / "global/1262", 0);
  const CommandResult updated = run_command(asked({"--delta-restore"}));
  ASSERT_EQ(updated.exit_code, 0) << updated.err;
  PostgresServer copy({.data_directory = place.data});
  EXPECT_EQ(copy.value("SELECT count(*) > 0 FROM changing"), "t");
}

// Whether there is enough space is not known then, which is no reason to refuse.
TEST_F(RemoteRestore, NeedsNoDfThere) {
  const Place place;
  const std::string bin = (place.directory.path() / "bin").string();
  run_checked({.argv = {"sh", "-c", "mkdir $0; ln -s /usr/bin/* $0; rm $0/df", bin}});
  const std::string command = remote_command(ssh_->port()) + " env PATH=" + bin;
  const CommandResult result = run_command(request(full_, place, {"--get-wal"}, command));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(fs::exists(place.data / "global/pg_control"));
}

TEST_F(RemoteRestore, TellsWhatIsWrongWithTheConnection) {
  const Place place;
  const fs::path other_key = place.directory.path() / "other_key";
  run_checked({.argv = {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other_key.string()}});
  const std::string host = " " + user_name() + "@127.0.0.1";
  const std::string route = "/usr/bin/ssh -o BatchMode=yes -p " + std::to_string(ssh_->port());
  EXPECT_THAT(
      refusal(request(full_, place, {},
                      route +
                          " -F /dev/null -o StrictHostKeyChecking=no -o "
                          "UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes -i " +
                          other_key.string() + host),
              place),
      AllOf(HasSubstr("Unable to connect to the target host"), HasSubstr("Permission denied"),
            HasSubstr("Try the command of --remote-ssh-command by hand")));
  // The host was another one when it was met first.
  const fs::path known = place.directory.path() / "known_hosts";
  const std::string key = read_text(other_key.string() + ".pub");
  write_text(known, "[127.0.0.1]:" + std::to_string(ssh_->port()) + " " + key);
  EXPECT_THAT(refusal(request(full_, place, {},
                              route +
                                  " -F /dev/null -o StrictHostKeyChecking=yes -o "
                                  "UserKnownHostsFile=" +
                                  known.string() + host),
                      place),
              AllOf(HasSubstr("Unable to connect to the target host"),
                    HasSubstr("Host key verification failed")));
  // Not for this user.
  fs::create_directories(place.root / "closed");
  fs::permissions(place.root / "closed", fs::perms(0555));
  CommandRequest closed = request(full_, place);
  closed.argv.back() = (place.root / "closed" / "data").string();
  EXPECT_THAT(refusal(closed, place),
              AllOf(HasSubstr("cannot be written by '" + user_name() + "' on the destination host"),
                    HasSubstr("closed' belongs to " + user_name() + ", mode dr-xr-xr-x")));
  fs::permissions(place.root / "closed", fs::perms(0000));
  closed.argv.back() = (place.root / "closed").string();
  EXPECT_THAT(refusal(closed, place),
              AllOf(HasSubstr("cannot be looked into by '"), HasSubstr("mode d---------"),
                    HasSubstr("HINT: Give it there to ")));
  fs::permissions(place.root / "closed", fs::perms(0755));
  EXPECT_FALSE(fs::exists(place.data));
}

TEST_F(RemoteRestore, IsRefusedByADiskThatCannotBeWritten) {
  if (!Tmpfs::is_available()) GTEST_SKIP() << Tmpfs::kUnavailable;
  const Place place;
  Tmpfs disk(std::uint64_t{1} << 20);
  disk.make_read_only();
  CommandRequest asked = request(full_, place);
  asked.argv.back() = (disk.path() / "data").string();
  EXPECT_THAT(refusal(asked, place),
              HasSubstr("The destination directory '" + (disk.path() / "data").string() +
                        "' is on a file system that is mounted read-only\nHINT: Mount it for "
                        "writing, or choose"));
  EXPECT_TRUE(fs::is_empty(disk.path()));
}

// It is not known beforehand: what df says is right, and then somebody else takes the space.
TEST_F(RemoteRestore, GoesOnAfterAFullDiskThere) {
  if (!Tmpfs::is_available()) GTEST_SKIP() << Tmpfs::kUnavailable;
  const Place place;
  constexpr std::uint64_t kEnough = std::uint64_t{300} << 20;
  Tmpfs disk(kEnough);
  const auto asked = [&](const Arguments& options, const std::string& command = "") {
    CommandRequest made = request(full_, place, options, command);
    made.argv.back() = (disk.path() / "data").string();
    return made;
  };
  BackgroundCommand restore(asked({"--bwlimit", "3000"}));
  ASSERT_TRUE(eventually([&] { return fs::exists(disk.path() / "data/base/1"); })) << restore.err();
  disk.resize(kEnough - disk.free_bytes());
  const auto full = restore.wait();
  ASSERT_TRUE(full);
  EXPECT_EQ(full->exit_code, 1);
  EXPECT_THAT(full->err, AllOf(HasSubstr("No space left on device"),
                               HasSubstr("Free space there: its disk is full. "),
                               HasSubstr("Go on with --resume")));
  EXPECT_FALSE(fs::exists(disk.path() / "data/global/pg_control"));
  disk.resize(kEnough);
  const CommandResult again = run_command(asked({"--resume"}));
  ASSERT_EQ(again.exit_code, 0) << again.err;
  PostgresServer copy({.data_directory = disk.path() / "data"});
  EXPECT_EQ(copy.value("SELECT count(*) > 0 FROM changing"), "t");
}

}  // namespace
}  // namespace barman::test
