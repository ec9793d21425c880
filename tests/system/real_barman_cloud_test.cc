// Debian's Barman 3.4 and our programs have one bucket: what one has written the other lists,
// restores and deletes.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "support/cloud_site.h"
#include "support/object_server.h"
#include "support/postgres_server.h"
#include "support/postgres_version.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Keys of newer metadata, which 3.4 refuses: who goes back so far takes them out.
constexpr const char* kTakeOutNewerKeys = R"(
import sys, boto3
endpoint, bucket, prefix = sys.argv[1:]
s3 = boto3.client('s3', endpoint_url=endpoint)
newer = ('children_backup_ids', 'cluster_size', 'data_checksums', 'encryption', 'parent_backup_id',
         'summarize_wal')
for item in s3.list_objects_v2(Bucket=bucket, Prefix=prefix)['Contents']:
    if not item['Key'].endswith('/backup.info'):
        continue
    lines = s3.get_object(Bucket=bucket, Key=item['Key'])['Body'].read().decode().splitlines()
    known = [line for line in lines if line.split('=')[0] not in newer]
    s3.put_object(Bucket=bucket, Key=item['Key'], Body='\n'.join(known).encode() + b'\n')
)";

class RealBarmanCloud : public testing::Test {
 protected:
  void SetUp() override {
    if (!ObjectServer::is_available()) GTEST_SKIP() << ObjectServer::kUnavailable;
    if (!fs::exists(real_barman_cloud())) {
      GTEST_SKIP() << "no " << real_barman_cloud() << ": run scripts/install-dependencies test";
    }
    site_.emplace("real-barman");
  }
  std::map<std::string, std::string> python_environment() const {
    auto environment = site_->environment();
    environment["PYTHONPATH"] = (real_barman_cloud() / "usr/lib/python3/dist-packages").string();
    return environment;
  }
  std::string python(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "/usr/bin/python3");
    return run_checked({.argv = arguments, .environment = python_environment()});
  }
  std::string theirs(const std::string& name, const std::vector<std::string>& words = {},
                     const std::vector<std::string>& options = {}) const {
    std::vector<std::string> arguments = site_->request(name, words, options).argv;
    arguments.front() = (real_barman_cloud() / "usr/bin" / name).string();
    return python(arguments);
  }
  std::string ours(const std::string& name, const std::vector<std::string>& words = {},
                   const std::vector<std::string>& options = {}) const {
    const CommandResult result = site_->run(name, words, options);
    EXPECT_EQ(result.exit_code, 0) << name << result.err;
    return result.out;
  }
  // WAL by our program, whoever has archived it.
  void expect_rows(const fs::path& data) const {
    std::ofstream(data / "recovery.signal");
    std::ofstream(data / "postgresql.auto.conf", std::ios::app)
        << "archive_mode = off\nrecovery_target = 'immediate'\nrecovery_target_action = 'promote'\n"
        << "restore_command = '" << site_->command_line("barman-cloud-wal-restore", "%f %p")
        << "'\n";
    PostgresServer again(
        {.major = 15, .data_directory = data, .environment = site_->environment()});
    again.wait_until_primary();
    EXPECT_EQ(again.value("SELECT count(*) FROM t"), "1000");
    EXPECT_EQ(again.value("SELECT count(*) FROM u"), "50000");
  }
  std::vector<std::string> backup_options(const PostgresServer& postgres,
                                          const std::vector<std::string>& more) const {
    std::vector<std::string> options = {"-h",
                                        postgres.socket_directory().string(),
                                        "-p",
                                        std::to_string(postgres.port()),
                                        "-U",
                                        "postgres",
                                        "--immediate-checkpoint"};
    options.insert(options.end(), more.begin(), more.end());
    return options;
  }

  std::optional<CloudSite> site_;
};

TEST_F(RealBarmanCloud, ReadsOursAndWeReadTheirs) {
  PostgresServer postgres(
      {.major = 15,
       .settings = {{"archive_mode", "on"},
                    {"archive_command", site_->command_line("barman-cloud-wal-archive", "%p")}},
       .tablespaces = {"ts"},
       .environment = site_->environment()});
  postgres.query("CREATE TABLE t TABLESPACE ts AS SELECT g AS id FROM generate_series(1, 1000) g");
  postgres.query(
      "CREATE TABLE u AS SELECT g AS id, repeat('u', 200) AS text "
      "FROM generate_series(1, 50000) g");

  // Theirs: every compression, and several archives of a tree.
  const std::vector<std::vector<std::string>> forms = {
      {"-n", "plain", "-S", "8MB"}, {"-n", "gzip", "--gzip"}, {"-n", "snappy", "--snappy"}};
  for (const auto& form : forms) {
    theirs("barman-cloud-backup", {}, backup_options(postgres, form));
  }
  EXPECT_THAT(ours("barman-cloud-backup-list"), AllOf(HasSubstr("plain"), HasSubstr("snappy")));
  for (const auto& form : forms) {
    const TempDir place;
    const fs::path data = place.path() / "data";
    EXPECT_THAT(ours("barman-cloud-backup-show", {form.at(1)}), HasSubstr("DONE"));
    ours("barman-cloud-restore", {form.at(1), data.string()},
         {"--tablespace", "ts:" + (place.path() / "ts").string()});
    expect_rows(data);
  }
  ours("barman-cloud-backup-delete", {}, {"-b", "gzip"});
  EXPECT_THAT(theirs("barman-cloud-backup-list"), Not(HasSubstr("gzip")));

  // Ours by theirs.
  const std::vector<std::vector<std::string>> own = {{"-n", "own-plain", "-S", "8MB"},
                                                     {"-n", "own-gzip", "--gzip"}};
  for (const auto& form : own) {
    ours("barman-cloud-backup", {}, backup_options(postgres, form));
  }
  python({"-c", kTakeOutNewerKeys, site_->server().endpoint(), "real-barman", "path/main/base/"});
  const std::string list = theirs("barman-cloud-backup-list");
  EXPECT_THAT(list, AllOf(HasSubstr("own-plain"), HasSubstr("own-gzip")));
  for (const auto& form : own) {
    const std::size_t line = list.rfind('\n', list.find(form.at(1)));
    const std::string id = list.substr(line + 1, std::string("20261121T014301").size());
    const TempDir place;
    const fs::path data = place.path() / "data";
    theirs("barman-cloud-restore", {id, data.string()},
           {"--tablespace", "ts:" + (place.path() / "ts").string()});
    expect_rows(data);
    theirs("barman-cloud-backup-delete", {}, {"-b", id});
    EXPECT_THAT(ours("barman-cloud-backup-list"), Not(HasSubstr(form.at(1))));
  }

  // WAL: one of ours, and what they have archived under another name.
  const std::string name = postgres.value("SELECT pg_walfile_name(pg_switch_wal())");
  postgres.wait_until(fmt::format("last_archived_wal >= '{}' FROM pg_stat_archiver", name));
  const TempDir place;
  const fs::path path = place.path() / name;
  theirs("barman-cloud-wal-restore", {name, path.string()});
  EXPECT_EQ(fs::file_size(path), std::uintmax_t{16} << 20U);
  for (const char* compression : {"--gzip", "--bzip2", "--snappy"}) {
    const CloudSite other(std::string("real-barman-wal") + (compression + 1));
    std::vector<std::string> arguments =
        other.request("barman-cloud-wal-archive", {path.string()}, {compression}).argv;
    arguments.front() = (real_barman_cloud() / "usr/bin/barman-cloud-wal-archive").string();
    python(arguments);
    const fs::path back = place.path() / "back";
    ASSERT_EQ(other.run("barman-cloud-wal-restore", {name, back.string()}).exit_code, 0);
    EXPECT_TRUE(read_text(back) == read_text(path)) << compression;
  }
}

}  // namespace
}  // namespace barman::test
