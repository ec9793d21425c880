// Restores onto another host, through a real sshd behind which nothing of barman's is used: only a
// shell and tar. Every form of a backup becomes a cluster there that starts and has its rows; what
// fails leaves a directory on which PostgreSQL does not start.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "encryption/test_support.h"
#include "support/eventually.h"
#include "support/incremental_site.h"
#include "support/privileges.h"
#include "support/ssh_server.h"
#include "support/tcp_proxy.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

using Arguments = std::vector<std::string>;

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
    full_ = site_->take_backup();
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
};

std::unique_ptr<encryption::TestKeyring> RemoteRestore::keyring_;
std::unique_ptr<IncrementalSite> RemoteRestore::site_;
std::unique_ptr<SshServer> RemoteRestore::ssh_;
std::string RemoteRestore::full_;

TEST_F(RemoteRestore, EveryFormBecomesACluster) {
  site_->postgres.query("UPDATE changing SET text = 'new' WHERE id % 100 = 0");
  const std::string incremental = site_->take_incremental(full_);
  const auto rows = all_rows(site_->postgres);
  expect_rows(incremental, rows);
  site_->barman.set("main", "backup_compression", "zstd");
  const std::string packed = site_->take_backup();
  expect_rows(packed, rows, {"--network-compression"});
  site_->postgres.query("UPDATE changing SET text = 'newer' WHERE id % 50 = 0");
  const std::string packed_incremental = site_->take_incremental(packed);
  expect_rows(packed_incremental, all_rows(site_->postgres));
  for (const auto& [option, value] :
       Settings{{"encryption", "gpg"},
                {"encryption_key_id", encryption::TestKeyring::kKey},
                {"encryption_passphrase_command", "echo open sesame"}}) {
    site_->barman.set("main", option, value);
  }
  const std::string secret = site_->take_backup();
  site_->postgres.query("UPDATE changing SET text = 'newest' WHERE id % 70 = 0");
  const std::string secret_incremental = site_->take_incremental(secret);
  const auto last_rows = all_rows(site_->postgres);
  expect_rows(secret, last_rows);
  expect_rows(secret_incremental, last_rows);
  site_->barman.set("main", "encryption", "");
  site_->barman.set("main", "backup_compression", "");
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
  for (const char* option : {"--delta-restore", "--resume"}) {
    EXPECT_THAT(refusal(request(full_, place, {option}), place),
                HasSubstr("cannot update an existing data directory on another host"));
  }
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
  EXPECT_THAT(result->err, Not(HasSubstr("--resume")));
  EXPECT_FALSE(fs::exists(place.data / "global/pg_control"));
  EXPECT_FALSE(fs::exists(place.data / "postgresql.conf"));
  EXPECT_TRUE(fs::exists(place.data / ".barman-restoring"));
}

}  // namespace
}  // namespace barman::test
