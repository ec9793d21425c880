// Restores of backups that live in a bucket: onto another host through a real sshd, and by the
// indexes of their archives, so that no more is read than is needed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "encryption/test_support.h"
#include "support/bucket_site.h"
#include "support/object_server.h"
#include "support/privileges.h"
#include "support/ssh_server.h"
#include "support/store_proxy.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;

using Words = std::vector<std::string>;

// One site for all of them: a full backup and two incremental ones, compressed; what happened
// later is in the WAL.
class BucketRestore : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!ObjectServer::is_available() || !SshServer::is_available()) return;
    use_object_server();
    site_ = std::make_unique<BucketSite>("restores", Settings{{"backup_compression", "zstd"}});
    ssh_ = std::make_unique<SshServer>(site_->barman);
    site_->postgres.query(
        "CREATE TABLE large AS SELECT g AS id, md5(g::text) || repeat(md5((g * 7)::text), 10) AS "
        "text FROM generate_series(1, 60000) g");
    full_ = site_->take_backup();
    site_->change("second");
    site_->change("third");
    child_ = site_->take_incremental(site_->take_incremental(full_));
    rows_ = all_rows(site_->postgres);
    site_->wait_until_acknowledged();
    ASSERT_EQ(site_->barman.run({"archive-wal", "main"}).exit_code, 0);
  }
  static void TearDownTestSuite() {
    ssh_.reset();
    site_.reset();
  }
  void SetUp() override {
    if (!ObjectServer::is_available()) GTEST_SKIP() << ObjectServer::kUnavailable;
    if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  }

  struct Place {
    TempDir directory;
    fs::path root = directory.path() / "it's \"a\" $place/-über";
    fs::path data = root / "data";
    fs::path tablespace = root / "ts";
  };

  static CommandRequest request(const std::string& id, const Place& place, const Words& options) {
    Words words = {"restore", "--tablespace", "ts:" + place.tablespace.string()};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {"main", id, place.data.string()});
    return site_->barman.request(words);
  }
  static CommandRequest remote_request(const std::string& id, const Place& place,
                                       const Words& options = {}) {
    Words words = {"--remote-ssh-command",
                   "ssh -p " + std::to_string(ssh_->port()) + " " + user_name() + "@127.0.0.1"};
    words.insert(words.end(), options.begin(), options.end());
    CommandRequest remote = request(id, place, words);
    remote.environment.merge(ssh_->environment());
    return remote;
  }

  static void expect_rows(const Place& place, const std::map<std::string, Rows>& rows) {
    EXPECT_FALSE(fs::exists(place.data / ".barman-restoring"));
    const PostgresServer copy({.data_directory = place.data});
    copy.wait_until("NOT pg_is_in_recovery()");
    EXPECT_EQ(all_rows(copy), rows);
    EXPECT_EQ(copy.value("SELECT pg_tablespace_location(oid) FROM pg_tablespace "
                         "WHERE spcname = 'ts'"),
              place.tablespace.string());
  }
  static void expect_remote_rows(const std::string& id, const Words& options = {}) {
    const Place place;
    const CommandResult result = run_command(remote_request(id, place, options));
    ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
    EXPECT_THAT(result.out,
                HasSubstr("Starting remote restore for server main using backup " + id));
    expect_rows(place, rows_);
  }
  // What an administrator, or a program of others, has left of the objects.
  static void remove_objects(const std::string& part) {
    ObjectServer::shared().admin(
        {"object", "rm", "--bucket=restores", "--object=path/main/" + part});
  }
  // What the store has sent for it.
  static std::uint64_t bytes_of(StoreProxy& proxy, CommandRequest asked, CommandResult& result) {
    proxy.reset();
    asked.environment["AWS_ENDPOINT_URL_S3"] = proxy.endpoint();
    result = run_command(asked);
    return proxy.answered_bytes();
  }
  // A restore, a byte of a table that is spoilt, and the same restore over it.
  static void expect_small_delta(const std::string& id,
                                 CommandRequest (*make)(const std::string&, const Place&,
                                                        const Words&),
                                 Words options) {
    SCOPED_TRACE(id + " " + options.front());
    StoreProxy proxy(ObjectServer::shared().port());
    const Place place;
    CommandResult result;
    const std::uint64_t first = bytes_of(proxy, make(id, place, options), result);
    ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
    const fs::path file =
        place.data / site_->postgres.value("SELECT pg_relation_filepath('still')");
    std::string content = read_text(file);
    content[10000] = static_cast<char>(content[10000] ^ 1);
    write_text(file, content);
    options.emplace_back("--delta-restore");
    const std::uint64_t second = bytes_of(proxy, make(id, place, options), result);
    ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
    EXPECT_THAT(result.out, HasSubstr(" were there already."));
    EXPECT_LT(second, first / 2) << "instead of " << first;
    expect_rows(place, rows_);
  }
  static std::unique_ptr<BucketSite> site_;
  static std::unique_ptr<SshServer> ssh_;
  static std::string full_;
  static std::string child_;
  static std::map<std::string, Rows> rows_;
};

std::unique_ptr<BucketSite> BucketRestore::site_;
std::unique_ptr<SshServer> BucketRestore::ssh_;
std::string BucketRestore::full_;
std::string BucketRestore::child_;
std::map<std::string, Rows> BucketRestore::rows_;

TEST_F(BucketRestore, FullAndChainBecomeClustersOnAnotherHost) {
  expect_remote_rows(full_, {"--jobs", "4"});
  expect_remote_rows(child_, {"--network-compression"});
}

TEST_F(BucketRestore, RecoveryOnAnotherHostEndsAtItsTarget) {
  site_->postgres.query("CREATE TABLE mark AS SELECT 'before' AS text");
  site_->postgres.query("SELECT pg_create_restore_point('half way')");
  const auto rows = all_rows(site_->postgres);
  site_->postgres.query("INSERT INTO mark VALUES ('after')");
  site_->archive_a_segment();
  const Place place;
  const CommandResult result = run_command(
      remote_request(child_, place, {"--target-name", "half way", "--target-action", "promote"}));
  ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  expect_rows(place, rows);
  site_->postgres.query("DROP TABLE mark");
  site_->archive_a_segment();
}

// Full backups and chains, here and on another host.
TEST_F(BucketRestore, ADeltaRestoreReadsWhatDiffersOnly) {
  expect_small_delta(full_, &BucketRestore::request, {"--jobs", "4"});
  expect_small_delta(child_, &BucketRestore::request, {"--jobs", "4"});
  expect_small_delta(full_, &BucketRestore::remote_request, {"--jobs", "3"});
  expect_small_delta(child_, &BucketRestore::remote_request, {"--network-compression"});
}

TEST_F(BucketRestore, GoesOnAfterCutsAndResets) {
  StoreProxy proxy(ObjectServer::shared().port());
  proxy.add({.method = "GET",
             .target = "data.tar",
             .skipped = 1,
             .times = 3,
             .kind = StoreProxy::Kind::cut,
             .bytes = 100'000});
  proxy.add({.method = "GET", .target = "data.tar", .skipped = 2, .times = 2});
  const Place place;
  CommandRequest asked = request(child_, place, {"--jobs", "2"});
  asked.environment["AWS_ENDPOINT_URL_S3"] = proxy.endpoint();
  const CommandResult result = run_command(asked);
  ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  expect_rows(place, rows_);
}

// The last one that reads these backups: it takes their indexes away.
TEST_F(BucketRestore, WithoutItsIndexesTheChainComesBackAllTheSame) {
  for (const std::string& name : site_->objects_of(child_)) {
    if (name.starts_with("index/")) remove_objects("base/" + child_ + "/" + name);
  }
  EXPECT_THAT(site_->objects_of(child_), testing::Not(testing::Contains("index/data")));
  expect_remote_rows(child_);
  const Place place;
  const CommandResult result = run_command(request(child_, place, {}));
  ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  expect_rows(place, rows_);
}

// Behind it there is encrypted WAL.
TEST_F(BucketRestore, EncryptedOnesComeBackWithTheKeyOnly) {
  const encryption::TestKeyring keyring;
  for (const auto& [option, value] :
       Settings{{"encryption", "gpg"}, {"encryption_key_id", encryption::TestKeyring::kKey}}) {
    site_->barman.set("main", option, value);
  }
  const std::string full = site_->take_backup();
  const std::string oid = site_->tablespaces().front()[1];
  EXPECT_THAT(site_->objects_of(full),
              testing::UnorderedElementsAre(oid + ".tar.zst.gpg", "backup.info", "backup_manifest",
                                            "data.tar.zst.gpg"));
  const std::string child = site_->take_incremental(full);
  const auto rows = all_rows(site_->postgres);
  site_->archive_a_segment();
  {
    const Place place;
    const CommandResult refused = run_command(request(child, place, {}));
    EXPECT_NE(refused.exit_code, 0);
    EXPECT_THAT(refused.err, HasSubstr("encryption_passphrase_command"));
    EXPECT_FALSE(fs::exists(place.data));
  }
  const CommandResult others = run_cloud("restores", "barman-cloud-backup-show", {full});
  EXPECT_EQ(others.exit_code, 0) << others.err;
  site_->barman.set("main", "encryption_passphrase_command", "echo open sesame");
  const CommandResult verified = site_->barman.run({"verify-backup", "main", full});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  const Place here;
  const CommandResult local = run_command(request(full, here, {}));
  ASSERT_EQ(local.exit_code, 0) << local.out << local.err;
  const Place there;
  const CommandResult remote = run_command(remote_request(child, there));
  ASSERT_EQ(remote.exit_code, 0) << remote.out << remote.err;
  expect_rows(there, rows);
  const CommandResult merged = site_->barman.run({"consolidate", "main", child});
  EXPECT_EQ(merged.exit_code, 0) << merged.out << merged.err;
  EXPECT_THAT(site_->objects_of(site_->listed_backups().front()),
              testing::Contains("data.tar.zst.gpg"));
  for (const char* const option :
       {"encryption", "encryption_key_id", "encryption_passphrase_command"}) {
    site_->barman.set("main", option, "");
  }
}

}  // namespace
}  // namespace barman::test
