// The programs for buckets with what only one kind of store has: containers of Azure, on azurite,
// and keys of the customer, on radosgw. What they do in general is told in cloud_test.cc.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/text.h"
#include "support/azure_server.h"
#include "support/catalogue_files.h"
#include "support/object_server.h"
#include "support/postgres_server.h"
#include "support/privileges.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;

// The programs as scripts call them, with the options of one store.
struct StorePrograms {
  std::string url;
  std::vector<std::string> options;
  std::map<std::string, std::string> environment;

  static fs::path program(const std::string& name) { return barman_program().parent_path() / name; }
  CommandResult run(const std::string& name, const std::vector<std::string>& words = {},
                    const std::vector<std::string>& more = {}) const {
    CommandRequest request{.argv = {program(name).string()}, .environment = environment};
    request.argv.insert(request.argv.end(), options.begin(), options.end());
    request.argv.insert(request.argv.end(), more.begin(), more.end());
    request.argv.insert(request.argv.end(), {"--", url, "main"});
    request.argv.insert(request.argv.end(), words.begin(), words.end());
    return run_command(request);
  }
  // For postgresql.conf.
  std::string command_line(const std::string& name, const std::string& words) const {
    return fmt::format("{} {} {} main {}", program(name).string(), join(options, " "), url, words);
  }
};

TEST(StorePrograms, KeepABackupInAContainerOfAzure) {
  if (!AzureServer::is_available()) GTEST_SKIP() << AzureServer::kUnavailable;
  const StorePrograms site{.url = AzureServer::shared().account_url() + "/story/path",
                           .options = {"--cloud-provider", "azure-blob-storage"},
                           .environment = AzureServer::shared().environment()};
  ASSERT_EQ(site.run("barman-cloud-backup-list", {}, {"-t"}).exit_code, 1) << "not there yet";
  ASSERT_EQ(site.run("barman-cloud-check-wal-archive").exit_code, 0);
  ASSERT_EQ(site.run("barman-cloud-backup-list", {}, {"-t"}).exit_code, 0);
  PostgresServer postgres(
      {.settings = {{"archive_mode", "on"},
                    {"archive_command",
                     site.command_line("barman-cloud-wal-archive", "--zstd %p")}},
       .environment = site.environment});
  postgres.query("CREATE TABLE there AS SELECT g AS id FROM generate_series(1, 5000) g");
  const CommandResult backup = site.run("barman-cloud-backup", {},
                                        {"-d", postgres.conninfo(), "--immediate-checkpoint",
                                         "--zstd", "-n", "monday", "--tag", "team,db"});
  ASSERT_EQ(backup.exit_code, 0) << backup.err;
  EXPECT_THAT(site.run("barman-cloud-backup-list").out,
              AllOf(HasSubstr("Backup ID "), HasSubstr(" monday ")));
  EXPECT_THAT(site.run("barman-cloud-backup-show", {"monday"}).out,
              HasSubstr("  Status                 : DONE\n"));
  postgres.query("INSERT INTO there SELECT g FROM generate_series(5001, 6000) g");
  const std::string last = postgres.value("SELECT pg_walfile_name(pg_switch_wal())");
  postgres.wait_until(fmt::format("last_archived_wal >= '{}' FROM pg_stat_archiver", last));

  const TempDir place;
  const fs::path data = place.path() / "data";
  const CommandResult restored = site.run("barman-cloud-restore", {"monday", data.string()});
  ASSERT_EQ(restored.exit_code, 0) << restored.err;
  std::ofstream(data / "recovery.signal");
  std::ofstream(data / "postgresql.auto.conf", std::ios::app)
      << "archive_mode = off\nrestore_command = '"
      << site.command_line("barman-cloud-wal-restore", "%f %p") << "'\n";
  {
    const PostgresServer again({.data_directory = data, .environment = site.environment});
    again.wait_until("NOT pg_is_in_recovery()");
    EXPECT_EQ(again.value("SELECT count(*) FROM there"), "6000");
  }
  EXPECT_EQ(site.run("barman-cloud-backup-keep", {"monday"}, {"--target", "full"}).exit_code, 0);
  EXPECT_EQ(site.run("barman-cloud-backup-delete", {}, {"-b", "monday"}).exit_code, 1);
  EXPECT_EQ(site.run("barman-cloud-backup-keep", {"monday"}, {"-r"}).exit_code, 0);
  const CommandResult deleted = site.run("barman-cloud-backup-delete", {}, {"-b", "monday"});
  EXPECT_EQ(deleted.exit_code, 0) << deleted.err;
  EXPECT_EQ(site.run("barman-cloud-backup-list").out.find(" monday "), std::string::npos);
}

TEST(StorePrograms, KeepTheKeyOfTheCustomer) {
  if (!ObjectServer::is_available()) GTEST_SKIP() << ObjectServer::kUnavailable;
  const ObjectServer& server = ObjectServer::shared();
  StorePrograms site{.url = "s3://customer-key/path",
                     .options = {"--endpoint-url", server.endpoint()},
                     .environment = server.environment()};
  ASSERT_EQ(site.run("barman-cloud-check-wal-archive").exit_code, 0);
  const TempDir place;
  const std::string key_file = (place.path() / "key").string();
  write_text(key_file, "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=\n");
  const std::vector<std::string> key = {"--sse-customer-key", "file://" + key_file};
  const std::string name = "000000010000000000000001";
  write_text(place.path() / name, wal_segment(name, "content"));
  const CommandResult archived =
      site.run("barman-cloud-wal-archive", {(place.path() / name).string()}, key);
  ASSERT_EQ(archived.exit_code, 0) << archived.err;
  const std::string to = (place.path() / "to").string();
  EXPECT_EQ(site.run("barman-cloud-wal-restore", {name, to}).exit_code, 4) << "without the key";
  EXPECT_FALSE(fs::exists(to));
  const CommandResult restored = site.run("barman-cloud-wal-restore", {name, to}, key);
  ASSERT_EQ(restored.exit_code, 0) << restored.err;
  EXPECT_EQ(read_text(to), wal_segment(name, "content"));
}

}  // namespace
}  // namespace barman::test
