// WAL that is stored encrypted: with the real gpg and a keyring of this test, through every command
// that reads it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>

#include "base/text.h"
#include "encryption/test_support.h"
#include "support/catalogue_files.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"
#include "support/writer.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using encryption::TestKeyring;
using testing::AllOf;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::Not;

class EncryptedWal : public testing::Test {
 protected:
  EncryptedWal() {
    Writer writer(site_.postgres);
    site_.start_receiver();
    site_.archive_a_segment();
    backup_ = site_.take_backup();
    site_.barman.set("main", "encryption", "gpg");
    site_.barman.set("main", "encryption_key_id", TestKeyring::kKey);
    site_.barman.set("main", "encryption_passphrase_command", "echo open sesame");
    site_.barman.set("main", "compression", "zstd");
    for (int i = 0; i < 2; ++i) {
      writer.wait_for_commits(10);
      segments_.push_back(site_.postgres.value("SELECT pg_walfile_name(pg_current_wal_lsn())"));
      site_.postgres.query("SELECT pg_switch_wal()");
    }
    commits_ = writer.stop();
    site_.wait_until_acknowledged(commits_.back().lsn);
    EXPECT_EQ(site_.barman.run({"archive-wal", "main"}).exit_code, 0);
  }

  fs::path archived(const std::string& name) const {
    return site_.server_directory() / "wals" / name.substr(0, 16) / name;
  }

  TestKeyring keyring_;
  StreamingSite site_;
  std::string backup_;
  std::vector<std::string> segments_;
  std::vector<Commit> commits_;
};

TEST_F(EncryptedWal, IsServedInClear) {
  for (const std::string& name : segments_) {
    const std::string original = read_text(site_.postgres.data_directory() / "pg_wal" / name);
    EXPECT_TRUE(keyring_.decrypt(read_text(archived(name))).starts_with("\x28\xb5\x2f\xfd"));
    const CommandResult result = site_.barman.run({"get-wal", "main", name});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_TRUE(result.out == original) << name;
    EXPECT_TRUE(site_.barman.run({"get-wal", "--keep-compression", "main", name})
                    .out.starts_with("\x28\xb5\x2f\xfd"));
  }
  // The index survives being rebuilt.
  EXPECT_EQ(site_.barman.run({"rebuild-xlogdb", "main"}).exit_code, 0);
  EXPECT_TRUE(site_.barman.run({"get-wal", "main", segments_[0]}).exit_code == 0);
}

TEST_F(EncryptedWal, HistoriesAreRead) {
  const fs::path history = site_.server_directory() / "wals" / "00000002.history";
  const std::string end = read_backup_info(site_.barman, "main", backup_).at("end_xlog");
  write_text(history, keyring_.encrypt("1\t" + end + "\tno recovery target specified\n"));
  EXPECT_EQ(site_.barman.run({"rebuild-xlogdb", "main"}).exit_code, 0);
  const CommandResult shown = site_.barman.run({"show-backup", "main", backup_});
  EXPECT_EQ(shown.err, "");
  EXPECT_THAT(shown.out, testing::ContainsRegex("Reachable timelines *: 2\n"));
  const CommandResult survey = site_.barman.run({"catalogue-check", "main"});
  EXPECT_EQ(survey.exit_code, 0) << survey.out << survey.err;
  EXPECT_EQ(site_.barman.run({"verify-wal", "main"}).exit_code, 0);

  site_.barman.set("main", "encryption_passphrase_command", "");
  const CommandResult closed = site_.barman.run({"show-backup", "main", backup_});
  EXPECT_EQ(closed.exit_code, 0);
  EXPECT_THAT(closed.err, AllOf(HasSubstr("WARNING: timelines from 2 on are not told: "),
                                HasSubstr("'encryption_passphrase_command'")));
}

// The receiver has nothing in clear to compare with: it has noted the end of what it received.
TEST_F(EncryptedWal, OfAServerThatWasPutBackIsNotMixedWithItsNewHistory) {
  site_.stop_receiver();
  site_.barman.set("main", "encryption_passphrase_command", "");
  site_.start_receiver();
  const TempDir place;
  const fs::path copy = place.path() / "copy";
  const fs::path data = site_.postgres.data_directory();
  site_.postgres.stop();
  run_checked({.argv = {"cp", "-a", data.string(), copy.string()}});
  site_.postgres.start();
  site_.postgres.wait_until("EXISTS (SELECT FROM pg_stat_replication)");
  const auto write = [&](int segments) {
    for (int i = 0; i < segments; ++i) {
      site_.postgres.query(
          "CREATE TABLE IF NOT EXISTS more (m text); INSERT INTO more SELECT md5(random()::text) "
          "FROM generate_series(1, 100); SELECT pg_switch_wal()");
    }
  };
  write(3);
  site_.wait_until_acknowledged();
  site_.stop_receiver();
  EXPECT_EQ(site_.barman.run({"archive-wal", "main"}).exit_code, 0);
  // Nothing but the mark of where to go on.
  for (const auto& file : fs::directory_iterator(site_.server_directory() / "streaming")) {
    if (file.path().extension() == ".partial") fs::resize_file(file.path(), 0);
  }
  const CommandResult same = [&] {
    BackgroundCommand receiver = site_.barman.spawn_receiver("main", site_.postgres);
    receiver.kill(SIGTERM);
    return receiver.wait().value();
  }();
  EXPECT_THAT(same.err, Not(HasSubstr("put back")));
  for (const auto& file : fs::directory_iterator(site_.server_directory() / "streaming")) {
    if (file.path().extension() == ".partial") fs::resize_file(file.path(), 0);
  }

  site_.postgres.stop();
  fs::remove_all(data);
  run_checked({.argv = {"cp", "-a", copy.string(), data.string()}});
  site_.postgres.start();
  write(8);
  const CommandResult ahead = site_.barman.run({"receive-wal", "main"});
  EXPECT_EQ(ahead.exit_code, 1);
  EXPECT_THAT(ahead.err, HasSubstr("is not what was received from the server"));
}

TEST_F(EncryptedWal, EndsWithAReaderThatGoesAway) {
  const std::vector<std::string> argv =
      site_.barman.request({"get-wal", "main", segments_[0]}).argv;
  std::string command;
  for (const std::string& word : argv) command += shell_quote(word) + " ";
  const auto files = [&] {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(site_.server_directory())) {
      names.push_back(entry.path().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  };
  const std::vector<std::string> before = files();
  const CommandResult result =
      run_command({.argv = {"bash", "-c", command + "| head -c 1000; exit ${PIPESTATUS[0]}"}});
  EXPECT_EQ(result.out.size(), 1000U);
  // Not 1, which is "there is no such file" to PostgreSQL.
  EXPECT_EQ(result.exit_code, 126);
  EXPECT_EQ(result.err, "") << "the reader knows what it has done";
  EXPECT_EQ(files(), before);
  EXPECT_TRUE(site_.barman.run({"get-wal", "main", segments_[0]}).out ==
              read_text(site_.postgres.data_directory() / "pg_wal" / segments_[0]));
}

TEST_F(EncryptedWal, IsRestored) {
  site_.receiver().kill(SIGKILL);
  site_.receiver().wait();
  site_.postgres.kill_9();
  for (const std::vector<std::string>& options :
       {std::vector<std::string>{}, {"--target-tli", "latest"}, {"--get-wal"}}) {
    const fs::path destination = site_.barman.directory() / "restored";
    std::vector<std::string> arguments = {"restore"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    arguments.insert(arguments.end(), {"main", backup_, destination.string()});
    const CommandResult result = site_.barman.run(arguments);
    ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
    PostgresServer restored({.data_directory = destination,
                             .environment = site_.barman.environment_for_restore_command()});
    restored.wait_until_primary();
    std::vector<std::int64_t> ids;
    for (const Commit& commit : commits_) ids.push_back(commit.id);
    EXPECT_THAT(written_ids(restored), ElementsAreArray(ids));
    restored.stop();
    fs::remove_all(destination);
  }
}

TEST_F(EncryptedWal, FailsPlainlyWithoutTheRightPassphrase) {
  keyring_.end_agent();
  site_.barman.set("main", "encryption_passphrase_command", "echo hush");
  const CommandResult wrong = site_.barman.run({"get-wal", "main", segments_[0]});
  EXPECT_EQ(wrong.exit_code, 126);
  EXPECT_THAT(wrong.err, AllOf(HasSubstr("Bad passphrase"), Not(HasSubstr("hush"))));
  // What cannot be read says nothing of the archive.
  const CommandResult verify = site_.barman.run({"verify-wal", "main"});
  EXPECT_EQ(verify.exit_code, 1);
  EXPECT_THAT(verify.err,
              AllOf(HasSubstr("Bad passphrase"), HasSubstr("Correct encryption_passphrase_command"),
                    Not(HasSubstr("damage")), Not(HasSubstr("missing"))));
  site_.barman.set("main", "encryption_passphrase_command", "echo hush; exit 9");
  const CommandResult failing = site_.barman.run({"get-wal", "main", segments_[0]});
  EXPECT_EQ(failing.exit_code, 126);
  EXPECT_THAT(failing.err, AllOf(HasSubstr("Command failed with code 9"), Not(HasSubstr("hush"))));
  site_.barman.set("main", "encryption_passphrase_command", "");
  const CommandResult missing = site_.barman.run({"get-wal", "main", segments_[0]});
  EXPECT_EQ(missing.exit_code, 126);
  EXPECT_EQ(missing.out, "");
  EXPECT_THAT(missing.err, HasSubstr("ERROR: Encrypted WAL file '" + segments_[0] +
                                     "' detected, but no 'encryption_passphrase_command' is "
                                     "configured."));
  const CommandResult restore = site_.barman.run(
      {"restore", "main", backup_, (site_.barman.directory() / "restored").string()});
  EXPECT_EQ(restore.exit_code, 1);
  EXPECT_THAT(restore.err, HasSubstr("'encryption_passphrase_command' is configured"));
  EXPECT_THAT(site_.barman.log(), Not(HasSubstr("hush")));
}

TEST_F(EncryptedWal, IsCheckedBeforehand) {
  // Backups need more than WAL does.
  EXPECT_THAT(site_.barman.run({"check", "main"}).out,
              HasSubstr("\tencryption: FAILED (WAL is encrypted, but backups cannot be taken: "
                        "encryption needs backup_compression (none is allowed))\n"));
  EXPECT_THAT(site_.barman.run({"backup", "main"}).err,
              HasSubstr("encryption needs backup_compression (none is allowed)"));
  site_.barman.set("main", "backup_compression", "none");
  EXPECT_THAT(site_.barman.run({"check", "main"}).out,
              HasSubstr("\tencryption: OK (encryption test succeeded)\n"));
  site_.barman.set("main", "encryption_key_id", "nobody@example.com");
  EXPECT_THAT(site_.barman.run({"check", "main"}).out,
              HasSubstr("\tencryption: FAILED (encryption test failed. Check the log file for more "
                        "details)\n"));
  EXPECT_THAT(site_.barman.log(), HasSubstr("nobody@example.com"));
  site_.barman.set("main", "encryption_key_id", "");
  EXPECT_THAT(site_.barman.run({"check", "main"}).out,
              HasSubstr("\tencryption: FAILED (encryption_key_id is not set)\n"));
  // A passive node stores what it gets.
  site_.barman.set("main", "primary_ssh_command", "false");
  EXPECT_THAT(site_.barman.run({"check", "main"}).out,
              HasSubstr("\tencryption: OK (files are encrypted by the primary node)\n"));
}

}  // namespace
}  // namespace barman::test
