// Servers whose base backups live in a bucket, with a real object store: what PostgreSQL streams
// goes straight there, and becomes a server again from there, full or as a chain.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/file_lock.h"
#include "base/timestamp.h"
#include "support/bucket_site.h"
#include "support/copied_site.h"
#include "support/eventually.h"
#include "support/fault_injection.h"
#include "support/object_server.h"
#include "support/privileges.h"
#include "support/store_proxy.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class CloudServer : public testing::Test {
 protected:
  void SetUp() override {
    if (!ObjectServer::is_available()) GTEST_SKIP() << ObjectServer::kUnavailable;
    use_object_server();
  }
};

TEST_F(CloudServer, AChainIsTakenAndRestoredStraightFromTheBucket) {
  BucketSite site("chain");
  const CommandResult first = site.barman.run({"backup", "--wait", "main"});
  ASSERT_EQ(first.exit_code, 0) << first.out << first.err;
  const std::string full = site.listed_backups().front();
  EXPECT_THAT(first.out, AllOf(HasSubstr("Starting backup using postgres method for server main in "
                                         "path/main/base/" +
                                         full + "\n"),
                               HasSubstr("Starting backup copy via pg_basebackup for " + full +
                                         " to the cloud storage aws-s3: s3://chain/path/\n"),
                               HasSubstr("Backup size: ")));
  const std::string oid = site.tablespaces().front()[1];
  EXPECT_THAT(site.objects_of(full),
              testing::UnorderedElementsAre(oid + ".tar", "backup.info", "backup_manifest",
                                            "data.tar", "index/" + oid, "index/data"));
  EXPECT_FALSE(fs::exists(site.server_directory() / "base"));
  EXPECT_EQ(site.status_of(full), "DONE");
  site.expect_restored(full, {"--jobs", "4"});

  site.change("second");
  const std::string child = site.take_incremental(full);
  site.change("third");
  // The manifest of the parent is in the bucket, too.
  fs::remove(site.server_directory() / "meta" / (child + "-backup_manifest"));
  const std::string grandchild = site.take_incremental(child);
  site.change("fourth");
  site.expect_restored(grandchild);

  for (const std::string& id : {full, grandchild}) {
    const CommandResult verified = site.barman.run({"verify-backup", "main", id});
    EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  }
  const CommandResult shown = site.barman.run({"show-backup", "main", grandchild});
  EXPECT_THAT(shown.out, AllOf(HasSubstr("incremental"), HasSubstr(child)));
  EXPECT_EQ(site.barman.run({"check-backup", "main", full}).exit_code, 0);
}

TEST_F(CloudServer, TheProgramsForBucketsReadWhatAServerHasWritten) {
  BucketSite site("programs", {{"backup_compression", "zstd"}});
  const std::string id = site.take_backup();
  EXPECT_THAT(run_cloud("programs", "barman-cloud-backup-list").out, HasSubstr(id));
  EXPECT_THAT(run_cloud("programs", "barman-cloud-backup-show", {id}).out,
              AllOf(HasSubstr(": DONE\n"), HasSubstr("Server Name            : main")));
  const TempDir place;
  const fs::path data = place.path() / "data";
  const CommandResult unpacked =
      run_command({.argv = {(barman_program().parent_path() / "barman-cloud-restore").string(),
                            "--tablespace", "ts:" + (place.path() / "ts").string(),
                            "s3://programs/path", "main", id, data.string()}});
  EXPECT_EQ(unpacked.exit_code, 0) << unpacked.err;
  EXPECT_TRUE(fs::exists(data / "global/pg_control"));
  EXPECT_TRUE(fs::exists(data / "backup_label"));

  // What is kept there is kept for the server, and the reverse.
  EXPECT_EQ(run_cloud("programs", "barman-cloud-backup-keep", {"--target", "full", id}).exit_code,
            0);
  EXPECT_THAT(site.barman.run({"keep", "--status", "main", id}).out, HasSubstr("full"));
  const CommandResult kept = site.barman.run({"delete", "main", id});
  EXPECT_NE(kept.exit_code, 0);
  EXPECT_THAT(kept.err, HasSubstr("keep"));
  EXPECT_EQ(site.barman.run({"keep", "--release", "main", id}).exit_code, 0);
  EXPECT_EQ(run_cloud("programs", "barman-cloud-backup-keep", {"--status", id}).out,
            "Keep: nokeep\n");

  const CommandResult gone = site.barman.run({"delete", "main", id});
  EXPECT_EQ(gone.exit_code, 0) << gone.out << gone.err;
  EXPECT_TRUE(site.listed_backups().empty());
  // They take what is beside the archives, too.
  const std::string next = site.take_backup();
  EXPECT_EQ(run_cloud("programs", "barman-cloud-backup-delete", {"--backup-id", next}).exit_code,
            0);
  EXPECT_THAT(ObjectServer::shared().admin({"bucket", "list", "--bucket=programs"}),
              Not(HasSubstr("base/" + next)));
  EXPECT_EQ(site.barman.run({"delete", "main", next}).exit_code, 0);
  EXPECT_THAT(run_cloud("programs", "barman-cloud-backup-list").out, Not(HasSubstr(id)));
}

// "GET /bucket?…" of each request.
std::vector<std::string> requests_of(BucketSite& site, const std::vector<std::string>& words) {
  StoreProxy proxy(ObjectServer::shared().port());
  CommandRequest request = site.barman.request(words);
  request.environment["AWS_ENDPOINT_URL_S3"] = proxy.endpoint();
  run_command(request);
  return proxy.requests();
}

TEST_F(CloudServer, ABackupThatSomebodyElseHasDeletedIsToldByEverybody) {
  BucketSite site("vanished",
                  {{"backup_compression", "zstd"}, {"retention_policy", "REDUNDANCY 1"}});
  const std::string first = site.take_backup();
  const std::string second = site.take_backup();
  EXPECT_EQ(site.barman.run({"list-backups", "main"}).err, "");
  EXPECT_THAT(requests_of(site, {"list-backups", "main"}),
              testing::ElementsAre(AllOf(testing::StartsWith("GET "), HasSubstr("list-type=2"))));
  EXPECT_EQ(site.barman.run({"check-backup", "main", second}).exit_code, 0);
  // As another host with keys, or a rule of the bucket, would.
  ASSERT_EQ(run_cloud("vanished", "barman-cloud-backup-delete", {"--backup-id", second}).exit_code,
            0);

  const std::string doubt =
      "backup " + second + " cannot be restored: its archives are missing in the bucket";
  const CommandResult list = site.barman.run({"list-backups", "main"});
  EXPECT_EQ(list.exit_code, 0);
  EXPECT_THAT(list.err, AllOf(HasSubstr(doubt), Not(HasSubstr(first))));
  EXPECT_THAT(list.out, AllOf(HasSubstr(first), HasSubstr(second)));
  EXPECT_THAT(site.barman.run({"show-backup", "main", second}).err, HasSubstr(doubt));
  EXPECT_EQ(site.barman.run({"show-backup", "main", first}).err, "");
  EXPECT_THAT(site.barman.run({"status", "main"}).err, HasSubstr(doubt));
  const CommandResult checked = site.barman.run({"check-backup", "main", second});
  EXPECT_EQ(checked.exit_code, 1) << checked.out;
  EXPECT_THAT(checked.err,
              AllOf(HasSubstr("lacks the archive"), HasSubstr("catalogue-check main")));
  EXPECT_THAT(site.barman.run({"check", "main"}).out,
              HasSubstr("readable backups: FAILED (backup " + second +
                        ": its archives are missing in the bucket"));
  const CommandResult survey = site.barman.run({"catalogue-check", "main"});
  EXPECT_EQ(survey.exit_code, 1);
  EXPECT_THAT(survey.out + survey.err, AllOf(HasSubstr("lacks the archive \"data.tar\""),
                                             HasSubstr("path/main/base/" + second)));
  const TempDir place;
  const fs::path data = place.path() / "data";
  const CommandResult restored = site.barman.run({"restore", "main", second, data.string()});
  EXPECT_EQ(restored.exit_code, 1);
  EXPECT_THAT(restored.err, HasSubstr("lacks the archive"));
  EXPECT_FALSE(fs::exists(data));
  // It counts for nothing, and goes by hand only.
  EXPECT_THAT(site.barman.run({"cron"}).err,
              HasSubstr("'barman delete main " + second + "' removes what is left of it"));
  const CommandResult deleted = site.barman.run({"delete", "main", second});
  EXPECT_EQ(deleted.exit_code, 0) << deleted.out << deleted.err;
  EXPECT_EQ(site.barman.run({"list-backups", "main"}).err, "");
  EXPECT_EQ(site.barman.run({"verify-backup", "main", first}).exit_code, 0);
}

TEST_F(CloudServer, AHostThatHasLostItsCatalogueGetsItBackAndConsolidates) {
  BucketSite site("lost", {{"backup_compression", "gzip"}});
  const std::string full = site.take_backup();
  site.change("second");
  const std::string child = site.take_incremental(full);
  fs::remove_all(site.server_directory() / "meta");
  fs::remove(site.server_directory() / "identity.json");
  EXPECT_TRUE(site.listed_backups().empty());
  const CommandResult rebuilt = site.barman.run({"rebuild-catalogue", "main"});
  EXPECT_EQ(rebuilt.exit_code, 0) << rebuilt.err;
  EXPECT_THAT(rebuilt.out, HasSubstr("(backups: 2 found, 0 known before; "));
  EXPECT_EQ(site.listed_backups(), (std::vector<std::string>{child, full}));
  EXPECT_TRUE(fs::exists(site.server_directory() / "identity.json"));
  site.change("third");
  const std::string grandchild = site.take_incremental(child);

  const CommandResult merged = site.barman.run({"consolidate", "main", grandchild});
  EXPECT_EQ(merged.exit_code, 0) << merged.out << merged.err;
  const std::string whole = site.listed_backups().front();
  EXPECT_NE(whole, grandchild);
  EXPECT_THAT(site.objects_of(whole), testing::Contains("data.tar.gz"));
  // It needs no other.
  EXPECT_EQ(site.barman.run({"delete", "main", full}).exit_code, 0);
  EXPECT_EQ(site.listed_backups(), std::vector<std::string>{whole});
  EXPECT_EQ(site.barman.run({"verify-backup", "main", whole}).exit_code, 0);
  site.expect_restored(whole);
}

Settings with_wal_in(const std::string& bucket, Settings more) {
  more["wals_directory"] = "s3://" + bucket + "/path/";
  return more;
}

TEST_F(CloudServer, FilesOfThisHostGoStraightIntoTheBucketAndAreRestoredByAnother) {
  CopiedSite site(
      kUsualMajor,
      bucket_settings("local", with_wal_in("local", {{"backup_method", "local-to-cloud"}})));
  const std::string id = site.take_backup();
  EXPECT_THAT(site.barman.run({"show-backup", "main", id}).out,
              HasSubstr("local-to-cloud-concurrent"));
  EXPECT_EQ(site.barman.run({"generate-manifest", "main", id}).exit_code, 0);
  const CommandResult verified = site.barman.run({"verify-backup", "main", id});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  site.postgres.query("UPDATE changing SET text = 'new' WHERE id % 100 = 0");
  site.wait_until_acknowledged();
  ASSERT_EQ(site.barman.run({"archive-wal", "main"}).exit_code, 0);
  const auto rows = all_rows(site.postgres);

  // It knows what is in the bucket, and nothing else.
  BarmanHome other;
  other.add_section("main", with_wal_in("local", {{"active", "false"},
                                                  {"backup_method", "local-to-cloud"},
                                                  {"basebackups_directory", "s3://local/path/"},
                                                  {"conninfo", "host=/nowhere"}}));
  const CommandResult list = other.run({"list-backups", "--minimal", "main"});
  EXPECT_EQ(list.out, id + "\n") << list.err;
  const CommandResult refused = other.run({"delete", "main", id});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.err, HasSubstr("it is inactive on this host"));
  const TempDir place;
  const fs::path data = place.path() / "data";
  const CommandResult restored = other.run(
      {"restore", "--tablespace", "ts:" + (place.path() / "ts").string(), "main", id, data});
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  const PostgresServer again(
      {.data_directory = data, .environment = other.environment_for_restore_command()});
  again.wait_until("NOT pg_is_in_recovery()");
  EXPECT_EQ(all_rows(again), rows);
}

TEST_F(CloudServer, AKilledBackupIsNoneAndTheNextRunGoesOn) {
  BucketSite site("killed");
  const std::string good = site.take_backup();
  site.postgres.query(
      "CREATE TABLE large AS SELECT g AS id, repeat(md5(g::text), 30) AS text "
      "FROM generate_series(1, 100000) g");
  // Slow enough to be met while it sends.
  BackgroundCommand running = site.barman.spawn({"backup", "--bwlimit", "2000", "main"});
  ASSERT_TRUE(eventually([&] {
    return site.postgres.value(
               "SELECT count(*) FROM pg_stat_progress_basebackup "
               "WHERE phase = 'streaming database files'") != "0";
  }));
  running.kill(SIGKILL);
  running.wait();
  const std::string dead = site.listed_backups().front();
  ASSERT_NE(dead, good);
  site.expect_restored(good);

  const std::string next = site.take_backup();
  EXPECT_EQ(site.status_of(dead), "FAILED");
  EXPECT_EQ(site.barman.run({"delete", "main", dead}).exit_code, 0);
  EXPECT_THAT(run_cloud("killed", "barman-cloud-backup-list").out,
              AllOf(HasSubstr(good), HasSubstr(next), Not(HasSubstr(dead))));
}

// What programs have left that were killed while they uploaded WAL in parts, whoever they were.
TEST_F(CloudServer, CronGivesUpOldUploadsOfWalOnceADay) {
  BucketSite site("dead-wal");
  StoreProxy proxy(ObjectServer::shared().port());
  const auto upload = [](const std::string& id, const std::string& begun) {
    return fmt::format(
        "<Upload><Key>path/main/wals/0000000100000000/{0}</Key><UploadId>{0}</UploadId>"
        "<Initiated>{1}</Initiated></Upload>",
        id, begun);
  };
  const std::string now = format_iso(now_local()).substr(0, 19) + "Z";
  const std::string body = "<?xml version=\"1.0\"?><ListMultipartUploadsResult>" +
                           upload("old", "2020-01-01T00:00:00.000Z") + upload("new", now) +
                           "<IsTruncated>false</IsTruncated></ListMultipartUploadsResult>";
  proxy.add(
      {.method = "GET",
       .target = "uploads",
       .times = 2,
       .kind = StoreProxy::Kind::answer,
       .text = fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body)});
  // WAL that arrives need not wait meanwhile: whoever archives gets the lock.
  const fs::path lock = site.barman.home() / ".main-archive-wal.lock";
  std::atomic<int> beside_archiving = 0;
  proxy.rewrite(
      [&](const std::string& head) {
        const bool is_free = head.starts_with("DELETE ") &&
                             eventually([&] { return !FileLock::holder(lock).has_value(); });
        if (is_free) ++beside_archiving;
        return head;
      },
      {});
  CommandRequest request = site.barman.request({"cron"});
  request.environment["AWS_ENDPOINT_URL_S3"] = proxy.endpoint();
  for (int run = 0; run < 2; ++run) {
    EXPECT_EQ(run_command(request).exit_code, 0);
    EXPECT_EQ(proxy.count("GET", "path%2Fmain%2Fwals"), 1U) << "once a day";
    EXPECT_EQ(proxy.count("DELETE", "uploadId=old"), 1U);
    EXPECT_EQ(proxy.count("DELETE"), 1U);
  }
  fs::remove(site.barman.home() / "main/.uploads-looked-at");
  EXPECT_EQ(run_command(request).exit_code, 0);
  EXPECT_EQ(proxy.count("DELETE", "uploadId=old"), 2U);
  EXPECT_EQ(beside_archiving, 2);
}

// The metadata of this host rules: what it does not know may need the WAL that nobody else needs.
TEST_F(CloudServer, AHostThatDoesNotKnowAllBackupsOfItsBucketDeletesNothing) {
  BucketSite site("unknown", {{"wals_directory", "s3://unknown/path/"}});
  const std::string old = site.take_backup();
  fs::remove_all(site.server_directory() / "meta");
  const std::string first = site.take_backup();
  const std::string second = site.take_backup();
  EXPECT_EQ(site.listed_backups(), (std::vector<std::string>{second, first}));
  const CommandResult refused = site.barman.run({"delete", "main", first});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.err, HasSubstr("the bucket holds backup " + old +
                                     " of server main, which this host does not know "
                                     "('barman rebuild-catalogue main' adds it)"));
  EXPECT_THAT(site.barman.run({"check", "main"}).out,
              HasSubstr("readable backups: FAILED (the bucket holds backup " + old));

  EXPECT_EQ(site.barman.run({"rebuild-catalogue", "main"}).exit_code, 0);
  EXPECT_EQ(site.listed_backups(), (std::vector<std::string>{second, first, old}));
  site.expect_restored(old);
  EXPECT_EQ(site.barman.run({"delete", "main", first}).exit_code, 0);
}

TEST_F(CloudServer, AKilledDeletionLeavesNoBackupThatLooksWhole) {
  BucketSite site("half");
  const std::string id = site.take_backup();
  const std::string next = site.take_backup();
  const std::size_t object_count = site.objects_of(id).size();
  const CommandRequest request = site.barman.request({"delete", "main", id});
  const auto shown = [&] { return run_cloud("half", "barman-cloud-backup-show", {id}).out; };
  // Between its steps something of this host is always removed.
  for (int call = 1; call <= 20 && shown().find(id) != std::string::npos; ++call) {
    run_command(with_fault(request, {.system_call = "unlink", .when = call}));
    const bool looks_whole = shown().find(": DONE\n") != std::string::npos;
    EXPECT_TRUE(!looks_whole || site.objects_of(id).size() == object_count) << call;
  }
  EXPECT_EQ(shown().find(id), std::string::npos);
  EXPECT_EQ(site.barman.run({"cron"}).exit_code, 0);
  EXPECT_EQ(site.listed_backups(), std::vector<std::string>{next});
  site.expect_restored(next);
}

}  // namespace
}  // namespace barman::test
