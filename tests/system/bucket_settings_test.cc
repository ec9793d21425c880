// Servers in buckets with each version of PostgreSQL, and with what can be set for their objects:
// locks, a key of the customer; and what commands say when the store is away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <array>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

#include "encryption/test_support.h"
#include "support/bucket_site.h"
#include "support/catalogue_files.h"
#include "support/copied_site.h"
#include "support/eventually.h"
#include "support/object_server.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class BucketSettings : public testing::Test {
 protected:
  void SetUp() override {
    if (!ObjectServer::is_available()) GTEST_SKIP() << ObjectServer::kUnavailable;
    use_object_server();
  }
};

class BucketOfVersion : public BucketSettings, public testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(Majors, BucketOfVersion, testing::ValuesIn(all_majors()));

TEST_P(BucketOfVersion, TakesItsBackupAndGivesItBack) {
  const std::string bucket = "version" + std::to_string(GetParam());
  StreamingSite site(
      {.postgres = {.major = GetParam()},
       .server = bucket_settings(bucket, {{"backup_compression", "zstd"},
                                          {"wals_directory", "s3://" + bucket + "/path/"}})});
  site.start_receiver();
  site.postgres.query("CREATE TABLE kept AS SELECT g AS id FROM generate_series(1, 1000) g");
  site.archive_a_segment();
  const std::string id = site.take_backup();
  site.postgres.query("INSERT INTO kept SELECT g FROM generate_series(1001, 1500) g");
  site.wait_until_acknowledged();
  const TempDir place;
  const fs::path data = place.path() / "data";
  const CommandResult restored = site.barman.run({"restore", "main", id, data.string()});
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  const PostgresServer again({.major = GetParam(), .data_directory = data});
  again.wait_until("NOT pg_is_in_recovery()");
  EXPECT_EQ(again.value("SELECT count(*) FROM kept"), "1500");
}

void make_bucket_with_locks(const std::string& bucket) {
  const ObjectServer& server = ObjectServer::shared();
  constexpr const char* kEmptyBody =
      "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  run_checked({.argv = {"curl", "-sSf", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user",
                        server.access_key() + ":" + server.secret_key(), "-X", "PUT", "-H",
                        "x-amz-bucket-object-lock-enabled: true", "-H", kEmptyBody,
                        server.endpoint() + "/" + bucket}});
}

TEST_F(BucketSettings, LockedBackupsAreDeletedByNobody) {
  make_bucket_with_locks("locked");
  BucketSite site("locked", {{"wals_directory", "s3://locked/path/"},
                             {"aws_object_lock_mode", "governance"},
                             {"retention_policy", "RECOVERY WINDOW OF 1 DAYS"}});
  const std::string first = site.take_backup();
  const std::string second = site.take_backup();
  const CommandResult refused = site.barman.run({"delete", "main", first});
  EXPECT_EQ(refused.exit_code, 1) << refused.out;
  EXPECT_THAT(refused.err, AllOf(HasSubstr("Backup " + first +
                                           " of server main is still immutable, and stays "
                                           "as it was: Cannot delete locked object path/main"
                                           "/base/" +
                                           first),
                                 HasSubstr("Object is locked and can't be deleted until ")));
  EXPECT_EQ(site.status_of(first), "DONE");
  // What is not locked comes and goes.
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(site.barman.run({"keep", "--target", "full", "main", first}).exit_code, 0);
    EXPECT_EQ(site.barman.run({"keep", "--release", "main", first}).exit_code, 0);
  }
  EXPECT_EQ(site.barman.run({"cron"}).exit_code, 0);
  // Whoever has the keys hides objects, at most.
  EXPECT_NE(run_cloud("locked", "barman-cloud-backup-delete",
                      {"--check-object-lock", "--backup-id", second})
                .exit_code,
            0);
  site.expect_restored(first);

  // When they are not locked any more, they go in all their versions.
  site.barman.set("main", "aws_object_lock_mode", "");
  const CommandResult hidden = site.barman.run({"delete", "main", first});
  EXPECT_EQ(hidden.exit_code, 0) << hidden.out << hidden.err;
  EXPECT_EQ(site.listed_backups(), std::vector<std::string>{second});
}

// Less than the day that is the least of the settings.
void lock_for(const std::string& bucket, const std::string& key, std::chrono::seconds time) {
  const ObjectServer& server = ObjectServer::shared();
  const std::time_t until = std::time(nullptr) + time.count();
  std::tm parts{};
  gmtime_r(&until, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  run_checked({.argv = {"curl", "-sSf", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user",
                        server.access_key() + ":" + server.secret_key(), "-X", "PUT", "-H",
                        "x-amz-content-sha256: UNSIGNED-PAYLOAD", "--data",
                        std::string("<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                                    "<Mode>GOVERNANCE</Mode><RetainUntilDate>") +
                            text.data() + "</RetainUntilDate></Retention>",
                        server.endpoint() + "/" + bucket + "/" + key + "?retention="}});
}

TEST_F(BucketSettings, WhatIsLockedGoesWhenItsTimeIsOver) {
  make_bucket_with_locks("expiring");
  BucketSite site("expiring", {{"wals_directory", "s3://expiring/path/"}});
  const std::string first = site.take_backup();
  site.take_backup();
  const auto index = [&] { return read_text(site.server_directory() / "meta/main-xlog.db"); };
  const std::string begin = index().substr(0, index().find('\t'));
  const std::string wal_key = "path/main/wals/" + begin.substr(0, 16) + "/" + begin;
  site.barman.set("main", "aws_object_lock_mode", "governance");
  site.barman.set("main", "aws_object_lock_days", "1");
  lock_for("expiring", "path/main/base/" + first + "/data.tar", std::chrono::seconds(4));
  lock_for("expiring", wal_key, std::chrono::seconds(10));

  const CommandResult refused = site.barman.run({"delete", "main", first});
  EXPECT_EQ(refused.exit_code, 1) << refused.out;
  EXPECT_THAT(refused.err,
              AllOf(HasSubstr("is still immutable, and stays as it was"),
                    HasSubstr("data.tar: Object is locked and can't be deleted until "),
                    HasSubstr("again by each cron")));
  CommandResult deleted;
  ASSERT_TRUE(eventually([&] {
    deleted = site.barman.run({"delete", "main", first});
    return deleted.exit_code == 0;
  }));
  // The backup is gone; its WAL is told once, and stays known as long as it is there.
  EXPECT_THAT(deleted.out, AllOf(HasSubstr("WAL file " + begin +
                                           " of server main is locked in the bucket until 20"),
                                 HasSubstr("it stays in the index, and cron removes it then")));
  EXPECT_THAT(index(), HasSubstr(begin));
  const CommandResult early = site.barman.run({"cron"});
  EXPECT_EQ(early.exit_code, 0);
  EXPECT_THAT(early.out + early.err, Not(HasSubstr("locked")));
  EXPECT_THAT(index(), HasSubstr(begin));
  const CommandResult survey = site.barman.run({"catalogue-check", "main"});
  EXPECT_EQ(survey.exit_code, 0) << survey.out << survey.err;
  std::string told;
  ASSERT_TRUE(eventually([&] {
    told = site.barman.run({"cron"}).out;
    return told.find("their locks have ended") != std::string::npos;
  })) << told;
  EXPECT_THAT(told, HasSubstr(begin));
  EXPECT_THAT(index(), Not(HasSubstr(begin)));
  const std::string left = ObjectServer::shared().admin({"bucket", "list", "--bucket=expiring"});
  EXPECT_THAT(left, AllOf(Not(HasSubstr(begin)), Not(HasSubstr("base/" + first))))
      << "in all its versions";
  EXPECT_FALSE(fs::exists(site.server_directory() / ".locked-wal"));
}

TEST_F(BucketSettings, FilesOfThisHostAreEncryptedAndLockedToo) {
  make_bucket_with_locks("localsecret");
  const encryption::TestKeyring keyring;
  CopiedSite site(
      kUsualMajor,
      bucket_settings("localsecret", {{"wals_directory", "s3://localsecret/path/"},
                                      {"backup_method", "local-to-cloud"},
                                      {"backup_compression", "zstd"},
                                      {"aws_object_lock_mode", "governance"},
                                      {"aws_object_lock_days", "1"},
                                      {"encryption", "gpg"},
                                      {"encryption_key_id", encryption::TestKeyring::kKey}}));
  const std::string id = site.take_backup();
  EXPECT_THAT(
      site.barman.run({"show-backup", "main", id}).out,
      AllOf(HasSubstr("local-to-cloud-concurrent"), HasSubstr("Encryption           : gpg")));
  const std::string objects =
      ObjectServer::shared().admin({"bucket", "list", "--bucket=localsecret"});
  EXPECT_THAT(objects, AllOf(HasSubstr(id + "/data.tar.zst.gpg"), Not(HasSubstr("index/"))));
  const CommandResult refused = site.barman.run({"delete", "main", id});
  EXPECT_EQ(refused.exit_code, 1) << refused.out;
  EXPECT_THAT(refused.err, HasSubstr("Object is locked and can't be deleted until "));
  const TempDir place;
  const auto restore = [&] {
    return site.barman.run({"restore", "--tablespace", "ts:" + (place.path() / "ts").string(),
                            "main", id, (place.path() / "data").string()});
  };
  const CommandResult secret = restore();
  EXPECT_EQ(secret.exit_code, 1);
  EXPECT_THAT(secret.err, HasSubstr("encryption_passphrase_command"));
  site.barman.set("main", "encryption_passphrase_command", "echo open sesame");
  const auto rows = all_rows(site.postgres);
  const CommandResult restored = restore();
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  const PostgresServer again({.data_directory = place.path() / "data",
                              .environment = site.barman.environment_for_restore_command()});
  again.wait_until("NOT pg_is_in_recovery()");
  EXPECT_EQ(all_rows(again), rows);
}

TEST_F(BucketSettings, ArchivesOfXzServeEveryCommand) {
  BucketSite site("xzserver", {{"backup_compression", "xz"}, {"backup_compression_level", "1"}});
  const std::string full = site.take_backup();
  site.change("second");
  const std::string child = site.take_incremental(full);
  EXPECT_THAT(site.objects_of(full), Contains("data.tar.xz"));
  EXPECT_THAT(site.barman.run({"show-servers", "main"}).out, HasSubstr("backup_compression: xz\n"));
  const CommandResult verified = site.barman.run({"verify-backup", "main", child});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  const TempDir place;
  const CommandResult unpacked = run_cloud("xzserver", "barman-cloud-restore",
                                           {full, (place.path() / "data").string(), "--tablespace",
                                            "ts:" + (place.path() / "ts").string()});
  EXPECT_EQ(unpacked.exit_code, 0) << unpacked.err;
  EXPECT_TRUE(fs::exists(place.path() / "data/global/pg_control"));
  site.expect_restored(child);

  const CommandResult merged = site.barman.run({"consolidate", "main", child});
  ASSERT_EQ(merged.exit_code, 0) << merged.out << merged.err;
  const std::string synthetic = site.listed_backups().front();
  ASSERT_NE(synthetic, child);
  EXPECT_THAT(site.objects_of(synthetic), Contains("data.tar.xz"));
}

TEST_F(BucketSettings, ALockThatLocksNothingIsTold) {
  BucketSite site("unlocked");
  site.barman.set("main", "aws_object_lock_mode", "compliance");
  EXPECT_THAT(site.barman.run({"check", "main"}).out,
              HasSubstr("cloud storage configuration: FAILED (aws_object_lock_mode needs "
                        "aws_object_lock_days, or a retention_policy that is a RECOVERY WINDOW)"));
  EXPECT_THAT(site.barman.run({"backup", "main"}).err, HasSubstr("aws_object_lock_days"));
  EXPECT_EQ(site.barman.run({"list-backups", "main"}).exit_code, 0);
  site.barman.set("main", "aws_object_lock_days", "1");
  const CommandResult backup = site.barman.run({"backup", "main"});
  EXPECT_NE(backup.exit_code, 0);
  EXPECT_THAT(backup.err, HasSubstr("lock"));
  EXPECT_THAT(site.listed_backups().empty() ? "FAILED" : site.status_of(site.listed_backups()[0]),
              "FAILED");
}

TEST_F(BucketSettings, AKeyOfTheCustomerIsNeededForEverything) {
  const ObjectServer& server = ObjectServer::shared();
  const TempDir keys;
  write_text(keys.path() / "key.b64", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n");
  ::setenv("AWS_ENDPOINT_URL_S3", server.tls_endpoint().c_str(), 1);
  ::setenv("AWS_CA_BUNDLE", server.certificate_file().c_str(), 1);
  {
    BucketSite site("secret",
                    {{"aws_sse_customer_key", "file://" + (keys.path() / "key.b64").string()},
                     {"backup_compression", "lz4"}});
    const std::string id = site.take_backup();
    EXPECT_EQ(site.barman.run({"verify-backup", "main", id}).exit_code, 0);
    site.expect_restored(id, {"--jobs", "2"});
    site.barman.set("main", "aws_sse_customer_key", "");
    const CommandResult without = site.barman.run({"verify-backup", "main", id});
    EXPECT_NE(without.exit_code, 0);
    EXPECT_THAT(without.err, Not(testing::IsEmpty()));
  }
  ::unsetenv("AWS_CA_BUNDLE");
}

TEST_F(BucketSettings, AStoreThatIsAwayIsToldSoon) {
  BucketSite site("away");
  const std::string id = site.take_backup();
  // Nobody answers there (RFC 5737), or the network says so at once.
  ::setenv("AWS_ENDPOINT_URL_S3", "http://192.0.2.1:7480", 1);
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"list-backups", "main"}, {"status", "main"}}) {
    const CommandResult result = site.barman.run(words);
    EXPECT_LT(result.duration, std::chrono::seconds(9)) << words.front();
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    EXPECT_THAT(result.err, HasSubstr("the bucket of server main cannot be read")) << words.front();
  }
  EXPECT_THAT(site.barman.run({"list-backups", "main"}).out, HasSubstr(id));
  use_object_server();
}

}  // namespace
}  // namespace barman::test
