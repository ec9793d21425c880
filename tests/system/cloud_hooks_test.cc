// The programs for buckets as hook scripts of a barman server, which hands them what it receives:
// the bucket alone is enough to get the database back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "support/cloud_site.h"
#include "support/object_server.h"
#include "support/postgres_server.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;

TEST(CloudHooks, CopyBackupsAndWalIntoABucket) {
  if (!ObjectServer::is_available()) GTEST_SKIP() << ObjectServer::kUnavailable;
  const CloudSite bucket("hooks");
  // For all programs that barman starts.
  for (const auto& [name, value] : bucket.environment()) ::setenv(name.c_str(), value.c_str(), 1);
  StreamingSite site(
      {.server = {
           {"pre_archive_retry_script", bucket.command_line("barman-cloud-wal-archive", "--gzip")},
           {"post_backup_retry_script", bucket.command_line("barman-cloud-backup", "--zstd")}}});
  site.postgres.query("CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 1000) g");
  site.start_receiver();
  const std::string id = site.take_backup();
  site.postgres.query("INSERT INTO t VALUES (0)");
  const std::string last = site.postgres.value("SELECT pg_walfile_name(pg_current_wal_lsn())");
  site.wait_until_acknowledged();
  site.stop_receiver();
  const CommandResult archived = site.barman.run({"archive-wal", "main"});
  ASSERT_EQ(archived.exit_code, 0) << archived.err;

  EXPECT_THAT(bucket.run("barman-cloud-backup-list").out, HasSubstr(id));
  EXPECT_THAT(bucket.run("barman-cloud-backup-show", {id}).out,
              HasSubstr("Backup Method        : postgres\n"));
  const TempDir place;
  EXPECT_EQ(
      bucket.run("barman-cloud-wal-restore", {last, (place.path() / "wal").string()}).exit_code, 0);
  const fs::path data = place.path() / "data";
  const CommandResult restored =
      bucket.run("barman-cloud-restore", {id, data.string()}, {"--get-wal"});
  ASSERT_EQ(restored.exit_code, 0) << restored.err;
  PostgresServer again({.data_directory = data, .environment = bucket.environment()});
  again.wait_until_primary();
  EXPECT_EQ(again.value("SELECT count(*) FROM t"), "1001");

  // Of another kind of hook they know nothing.
  CommandRequest wrong = bucket.request("barman-cloud-backup");
  wrong.environment["BARMAN_HOOK"] = "backup_script";
  wrong.environment["BARMAN_PHASE"] = "pre";
  const CommandResult refused = run_command(wrong);
  EXPECT_EQ(refused.exit_code, 4);
  EXPECT_THAT(refused.err, HasSubstr("called as unsupported hook script: pre_backup_script"));
  // A backup that is not DONE is the end of it, whatever else is missing: 63 stops a retry hook.
  wrong.environment["BARMAN_PHASE"] = "post";
  wrong.environment["BARMAN_BACKUP_DIR"] = "/nowhere";
  wrong.environment["BARMAN_BACKUP_ID"] = id;
  const CommandResult ended = run_command(wrong);
  EXPECT_EQ(ended.exit_code, 63);
  EXPECT_THAT(ended.err, HasSubstr("has status 'None' (status should be: DONE)"));

  // Whose WAL is there is no mistyped server.
  const CommandResult deleted = bucket.run("barman-cloud-backup-delete", {}, {"-b", id});
  EXPECT_EQ(deleted.exit_code, 0) << deleted.err;
  EXPECT_EQ(bucket.run("barman-cloud-backup-list", {}).err, "");
}

}  // namespace
}  // namespace barman::test
