// Backups that are stored encrypted: with the real gpg and a keyring of this test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "encryption/test_support.h"
#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using encryption::TestKeyring;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

struct EncryptedSite : StreamingSite {
  explicit EncryptedSite(const std::string& algorithm, Settings more = {},
                         std::map<std::string, std::string> postgres_settings = {})
      : StreamingSite(
            {.postgres = {.settings = std::move(postgres_settings), .tablespaces = {"ts"}},
             .server = with_encryption(algorithm, std::move(more))}) {
    start_receiver();
    postgres.query(
        "CREATE TABLE here AS SELECT g AS id, md5(g::text) || repeat('x', 500) AS text "
        "FROM generate_series(1, 20000) g");
    postgres.query("CREATE TABLE there TABLESPACE ts AS SELECT generate_series(1, 1000) AS id");
    archive_a_segment();
  }

  static Settings with_encryption(const std::string& algorithm, Settings more) {
    more.merge(Settings{{"backup_compression", algorithm},
                        {"encryption", "gpg"},
                        {"encryption_key_id", TestKeyring::kKey},
                        {"encryption_passphrase_command", "echo open sesame"}});
    return more;
  }

  fs::path data(const std::string& id) const { return server_directory() / "base" / id / "data"; }
  CommandResult restore(const TempDir& place, const std::string& id) {
    return barman.run({"restore", "--tablespace", "ts:" + (place.path() / "ts").string(), "main",
                       id, (place.path() / "data").string()});
  }
  void expect_good_restore(const std::string& id) {
    const TempDir place;
    const CommandResult restored = restore(place, id);
    ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
    EXPECT_THAT(restored.out, HasSubstr("Decrypting files from backup '" + id + "'"));
    PostgresServer server({.data_directory = place.path() / "data"});
    EXPECT_EQ(server.value("SELECT count(*) FROM here"), "20000");
    EXPECT_EQ(server.value("SELECT sum(id) FROM there"), "500500");
  }
};

class EncryptedBackup : public testing::TestWithParam<std::string> {
 protected:
  TestKeyring keyring_;
};
INSTANTIATE_TEST_SUITE_P(With, EncryptedBackup, testing::Values("none", "gzip", "lz4", "zstd"),
                         [](const auto& tested) { return tested.param; });

TEST_P(EncryptedBackup, IsStoredInSecretVerifiedAndRestored) {
  EncryptedSite site(GetParam());
  const CommandResult checked = site.barman.run({"check", "main"});
  EXPECT_THAT(checked.out, HasSubstr("encryption: OK (encryption test succeeded)"));
  const std::string id = site.take_backup();
  const Fields fields = read_backup_info(site.barman, "main", id);
  EXPECT_EQ(fields.at("encryption"), "gpg");
  EXPECT_EQ(fields.at("compression"), GetParam());
  std::size_t archives = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(site.data(id))) {
    if (entry.path().filename() == "backup_manifest") continue;
    EXPECT_EQ(entry.path().extension(), ".gpg") << entry.path();
    ++archives;
  }
  EXPECT_EQ(archives, 2U);
  const CommandResult verified = site.barman.run({"verify-backup", "main", id});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  EXPECT_THAT(site.barman.run({"show-backup", "main", id}).out, HasSubstr("Encryption"));
  site.expect_good_restore(id);
  EXPECT_THAT(site.barman.log(), Not(HasSubstr("open sesame")));
}

TEST_P(EncryptedBackup, IsExchangedWithGpg) {
  EncryptedSite site(GetParam());
  const std::string id = site.take_backup();
  for (const fs::directory_entry& entry : fs::directory_iterator(site.data(id))) {
    if (entry.path().extension() != ".gpg") continue;
    // As Barman makes it: gpg of the archive.
    fs::path plain = entry.path();
    plain.replace_extension();
    keyring_.gpg({"--passphrase", TestKeyring::kPassphrase, "--output", plain.string(), "--decrypt",
                  entry.path().string()});
    const std::string program =
        GetParam() == "none" ? "--no-auto-compress" : "--use-compress-program=" + GetParam();
    run_checked({.argv = {"tar", program, "-t", "-f", plain.string()}});
    keyring_.gpg({"--compress-level", "0", "--recipient", TestKeyring::kKey, "--output",
                  entry.path().string(), "--encrypt", plain.string()});
    fs::remove(plain);
  }
  site.expect_good_restore(id);
}

// What cannot be read says nothing of the backup.
TEST(VerifyOfAnEncryptedBackup, DoesNotBlameTheBackupForTheWrongPassphrase) {
  const TestKeyring keyring;
  EncryptedSite site("zstd");
  const std::string id = site.take_backup();
  site.barman.set("main", "encryption_passphrase_command", "echo wrong");
  keyring.end_agent();
  const CommandResult result = site.barman.run({"verify-backup", "main", id});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("Bad passphrase"), HasSubstr("Correct encryption_passphrase_command"),
                    Not(HasSubstr("missing")), Not(HasSubstr("Do not rely"))));
}

TEST(VerifyOfAnEncryptedBackup, NamesADamagedArchiveAndNotEachFileOfIt) {
  const TestKeyring keyring;
  EncryptedSite site("zstd");
  const std::string id = site.take_backup();
  fs::resize_file(site.data(id) / "base.tar.zst.gpg", 5000);
  const CommandResult result = site.barman.run({"verify-backup", "main", id});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr("base.tar.zst.gpg"), HasSubstr("Do not rely"),
                                Not(HasSubstr("missing"))));
}

TEST(EncryptedChain, IsRestored) {
  TestKeyring keyring;
  EncryptedSite site("zstd", {}, {{"summarize_wal", "on"}});
  site.take_backup();
  site.postgres.query("UPDATE here SET text = 'changed' WHERE id <= 500");
  const CommandResult taken =
      site.barman.run({"backup", "--wait", "--incremental", "last", "main"});
  ASSERT_EQ(taken.exit_code, 0) << taken.out << taken.err;
  site.archive_a_segment();
  const TempDir place;
  const CommandResult restored = site.restore(place, "latest");
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  PostgresServer server({.data_directory = place.path() / "data"});
  EXPECT_EQ(
      server.value("SELECT count(*) || ' ' || count(*) FILTER (WHERE text = 'changed') FROM here"),
      site.postgres.value(
          "SELECT count(*) || ' ' || count(*) FILTER (WHERE text = 'changed') FROM here"));
}

TEST(EncryptedBackupRefusal, NamesWhatIsMissingOrWrong) {
  TestKeyring keyring;
  EncryptedSite site("zstd");
  const std::string id = site.take_backup();
  site.barman.set("main", "encryption_passphrase_command", "");
  const TempDir place;
  CommandResult result = site.restore(place, id);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("encryption_passphrase_command"));
  EXPECT_FALSE(fs::exists(place.path() / "data"));

  keyring.end_agent();
  site.barman.set("main", "encryption_passphrase_command", "echo wrong");
  result = site.restore(place, id);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("passphrase"));
  EXPECT_FALSE(fs::exists(place.path() / "data")) << "found before anything is written";

  site.barman.set("main", "encryption_key_id", "nobody@example.com");
  result = site.barman.run({"check", "main"});
  EXPECT_THAT(result.out, HasSubstr("encryption: FAILED"));
  site.barman.set("main", "backup_compression", "");
  result = site.barman.run({"check", "main"});
  EXPECT_THAT(result.out, HasSubstr("needs backup_compression"));
}

// Encrypting needs the public key only; decrypting asks a new agent.
TEST(EncryptedBackup, OutlivesItsAgent) {
  TestKeyring keyring;
  EncryptedSite site("zstd", {{"bandwidth_limit", "20000"}});
  keyring.gpg({"--passphrase", TestKeyring::kPassphrase, "--decrypt"}, keyring.encrypt("awake"));
  BackgroundCommand backup = site.barman.spawn({"backup", "--wait", "main"});
  ASSERT_TRUE(eventually([&] { return !site.barman.backup_ids("main").empty(); }));
  keyring.kill_agent();
  const auto taken = backup.wait();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->exit_code, 0) << taken->out << taken->err;
  const std::string id = site.listed_backups().front();
  EXPECT_EQ(site.status_of(id), "DONE");
  const CommandResult verified = site.barman.run({"verify-backup", "main", id});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  site.expect_good_restore(id);
}

// gpg itself is killed while it encrypts: the backup fails, the next one does not.
TEST(EncryptedBackup, FailsWithGpgAndNotTheNextOne) {
  TestKeyring keyring;
  EncryptedSite site("zstd", {{"bandwidth_limit", "20000"}});
  BackgroundCommand backup = site.barman.spawn({"backup", "main"});
  // The archive of the tablespace comes first, and has a gpg of its own.
  const auto is_begun = [&] {
    const std::vector<std::string> ids = site.barman.backup_ids("main");
    return !ids.empty() && fs::exists(site.data(ids.back()) / "base.tar.zst.gpg.tmp");
  };
  ASSERT_TRUE(eventually([&] { return is_begun() && keyring.kill_gpg(); }));
  const auto failed = backup.wait();
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->exit_code, 1) << failed->out;
  EXPECT_THAT(failed->err, AllOf(HasSubstr("Backup failed"), HasSubstr("cannot encrypt"),
                                 HasSubstr("base.tar.zst.gpg")));
  const std::string id = site.listed_backups().front();
  EXPECT_EQ(site.status_of(id), "FAILED");
  EXPECT_FALSE(fs::exists(site.data(id) / "base.tar.zst.gpg"));
  site.barman.set("main", "bandwidth_limit", "");
  site.expect_good_restore(site.take_backup());
}

TEST(EncryptedRestore, FailsWithGpgAndNotTheNextOne) {
  TestKeyring keyring;
  EncryptedSite site("none");
  const std::string id = site.take_backup();
  site.archive_a_segment();
  const TempDir place;
  BackgroundCommand restore = site.barman.spawn({"restore", "--bwlimit", "2000", "--tablespace",
                                                 "ts:" + (place.path() / "ts").string(), "main", id,
                                                 (place.path() / "data").string()});
  ASSERT_TRUE(eventually([&] { return fs::exists(place.path() / "data/base/1"); }));
  keyring.kill_agent();
  ASSERT_TRUE(eventually([&] { return keyring.kill_gpg(); }));
  const auto failed = restore.wait();
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->exit_code, 1) << failed->out;
  EXPECT_THAT(failed->err, HasSubstr("cannot decrypt"));
  EXPECT_FALSE(fs::exists(place.path() / "data/global/pg_control"));
  site.expect_good_restore(id);
}

}  // namespace
}  // namespace barman::test
