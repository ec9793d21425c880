// Servers whose WAL lives in a bucket: what PostgreSQL streams and archives is in a real object
// store, whatever happens on the way, and becomes a server again.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/text.h"
#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/fault_injection.h"
#include "support/object_server.h"
#include "support/privileges.h"
#include "support/streaming_site.h"
#include "support/tcp_proxy.h"
#include "support/temp_dir.h"
#include "support/writer.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// A bucket that all programs of a test reach through a network that can be cut.
class WalBucketSite {
 public:
  explicit WalBucketSite(std::string bucket)
      : bucket_(std::move(bucket)), network_(server_.port()) {
    set("AWS_ENDPOINT_URL", fmt::format("http://127.0.0.1:{}", network_.port()));
    set("AWS_MAX_ATTEMPTS", "2");
    for (const auto& [name, value] : server_.environment()) set(name, value);
    EXPECT_EQ(run_program("barman-cloud-check-wal-archive", {}).exit_code, 0);
  }

  std::string url() const { return fmt::format("s3://{}/some/path", bucket_); }
  // A program for buckets, as somebody without this configuration uses it.
  CommandResult run_program(const std::string& name, const std::vector<std::string>& words) const {
    CommandRequest request{
        .argv = {(barman_program().parent_path() / name).string(), url(), "main"}};
    request.argv.insert(request.argv.end(), words.begin(), words.end());
    return run_command(request);
  }
  TcpProxy& network() { return network_; }

 private:
  // For all that is started here: PostgreSQL and its commands, the receiver and its archiver.
  static void set(const std::string& name, const std::string& value) {
    ASSERT_EQ(::setenv(name.c_str(), value.c_str(), 1), 0);  // NOLINT(concurrency-mt-unsafe)
  }

  const ObjectServer& server_ = ObjectServer::shared();
  const std::string bucket_;
  TcpProxy network_;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines = split(text, '\n');
  std::erase(lines, "");
  return lines;
}

// Names in the index, which lies on this host.
std::vector<std::string> index_names(const BarmanHome& barman) {
  std::vector<std::string> names;
  std::ifstream index(barman.server_directory("main") / "meta/main-xlog.db");
  for (std::string line; std::getline(index, line);)
    names.push_back(line.substr(0, line.find('\t')));
  return names;
}

// Barman's `cloud-wal-archive` notes what it has compressed with the size of the file, and without
// its compression.
void note_wal_as_barman_does(StreamingSite& site) {
  const fs::path path = site.server_directory() / "meta/main-xlog.db";
  std::string lines;
  for (const std::string& name : index_names(site.barman)) {
    lines += fmt::format("{}\t{}\t1796073754.354846\tNone\tNone\n", name,
                         fs::file_size(site.postgres.data_directory() / "pg_wal" / name));
  }
  std::ofstream(path, std::ios::binary) << lines;
}

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// What of the complete segments of PostgreSQL cannot be had from barman as it is; the last one is
// being written.
std::vector<std::string> different_segments(StreamingSite& site,
                                            const std::vector<std::string>& names) {
  const TempDir place;
  std::vector<std::string> different;
  for (const std::string& name : names) {
    const CommandResult result =
        site.barman.run({"get-wal", "-o", place.path().string(), "main", name});
    const fs::path original = site.postgres.data_directory() / "pg_wal" / name;
    if (result.exit_code != 0 || content_of(place.path() / name) != content_of(original)) {
      different.push_back(name + ": " + result.err);
    }
  }
  return different;
}

StreamingSite::Options in_bucket(const WalBucketSite& bucket, const Settings& more = {}) {
  StreamingSite::Options options;
  options.server = more;
  options.server["wals_directory"] = bucket.url();
  return options;
}

class CloudServerWal : public testing::Test {
 protected:
  void SetUp() override {
    if (!ObjectServer::is_available()) GTEST_SKIP() << ObjectServer::kUnavailable;
  }
};

void expect_rows(StreamingSite& site, const std::vector<std::string>& options,
                 const std::vector<std::int64_t>& ids) {
  const TempDir place;
  const fs::path data = place.path() / "data";
  std::vector<std::string> arguments{"restore"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  arguments.insert(arguments.end(), {"main", "latest", data.string()});
  const CommandResult restored = site.barman.run(arguments);
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  PostgresServer again(
      {.data_directory = data, .environment = site.barman.environment_for_restore_command()});
  again.wait_until_primary();
  EXPECT_EQ(written_ids(again), ids);
}

TEST_F(CloudServerWal, StreamsIntoTheBucketAndComesBack) {
  WalBucketSite bucket("wal-story");
  StreamingSite site(in_bucket(bucket, {{"compression", "zstd"}}));
  site.start_receiver();
  site.archive_a_segment();
  Writer writer(site.postgres);
  writer.wait_for_commits(30);
  const std::string id = site.take_backup();
  const Commit target = writer.wait_for_commits(30);
  writer.wait_for_commits(30);
  const std::vector<Commit> commits = writer.stop();
  site.archive_a_segment();
  ASSERT_EQ(site.status_of(id), "DONE");

  const CommandResult check = site.barman.run({"check", "main"});
  EXPECT_THAT(check.out,
              AllOf(HasSubstr("cloud storage configuration: OK"), Not(HasSubstr("FAILED"))));
  EXPECT_FALSE(fs::exists(site.server_directory() / "wals"));
  const std::vector<std::string> names = index_names(site.barman);
  ASSERT_GE(names.size(), 2U);
  EXPECT_THAT(different_segments(site, names), IsEmpty());
  // Barman's programs and ours for buckets read it, too.
  const TempDir place;
  const CommandResult fetched = bucket.run_program(
      "barman-cloud-wal-restore", {names.front(), (place.path() / "wal").string()});
  EXPECT_EQ(fetched.exit_code, 0) << fetched.err;
  EXPECT_EQ(content_of(place.path() / "wal"),
            content_of(site.postgres.data_directory() / "pg_wal" / names.front()));

  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"verify-wal", "main"},
           {"catalogue-check", "main"},
           {"check-archived-wal-range", "main", names.front(), names.back()},
           {"status", "main"},
           {"check-backup", "main", id}}) {
    const CommandResult result = site.barman.run(command);
    EXPECT_EQ(result.exit_code, 0) << command.front() << result.out << result.err;
  }
  const CommandResult list = site.barman.run({"list-files", "--target", "wal", "main", id});
  EXPECT_THAT(lines_of(list.out),
              Each(AllOf(HasSubstr(bucket.url() + "/main/wals/0000000100000000/"),
                         testing::EndsWith(".zst"))));
  // A host that has only the bucket left.
  fs::remove(site.server_directory() / "meta/main-xlog.db");
  const CommandResult rebuilt = site.barman.run({"rebuild-xlogdb", "main"});
  EXPECT_EQ(rebuilt.exit_code, 0) << rebuilt.err;
  EXPECT_EQ(index_names(site.barman), names);

  note_wal_as_barman_does(site);
  const CommandResult surveyed = site.barman.run({"catalogue-check", "main"});
  EXPECT_EQ(surveyed.exit_code, 0) << surveyed.out << surveyed.err;
  expect_rows(site, {"--target-lsn", target.lsn, "--target-action", "promote"},
              ids_until(commits, target.id));
  expect_rows(site, {"--get-wal"}, ids_until(commits, commits.back().id));

  // WAL goes with its backup.
  const std::string second = site.take_backup();
  const CommandResult deleted = site.barman.run({"delete", "main", id});
  EXPECT_EQ(deleted.exit_code, 0) << deleted.err;
  EXPECT_NE(index_names(site.barman).front(), names.front());
  EXPECT_EQ(site.barman.run({"get-wal", "main", names.front()}).exit_code, 1);
  EXPECT_EQ(bucket
                .run_program("barman-cloud-wal-restore",
                             {names.front(), (place.path() / "gone").string()})
                .exit_code,
            1);
  EXPECT_THAT(different_segments(site, index_names(site.barman)), IsEmpty());
}

// Between the object and its line, and anywhere else: nothing is lost, nothing is there twice.
TEST_F(CloudServerWal, AKilledArchiverLosesAndDoublesNothing) {
  WalBucketSite bucket("wal-kill");
  StreamingSite site(in_bucket(bucket, {{"compression", "gzip"}}));
  // The receiver's own archiver does not get them.
  const auto receive = [&](int count) {
    bucket.network().cut();
    site.receive_segments(count);
    bucket.network().pass();
  };
  receive(2);
  const CommandRequest archive = site.barman.request({"archive-wal", "main"});
  const int last = count_calls(archive, "flock");
  ASSERT_GT(last, 1);
  std::set<std::string> received;
  for (int call = 1; call <= last; ++call) {
    receive(2);
    for (const auto& entry : fs::directory_iterator(site.server_directory() / "streaming")) {
      const std::string name = entry.path().filename().string();
      if (name.find('.') == std::string::npos) received.insert(name);
    }
    run_command(with_fault(archive, {.system_call = "flock", .when = call}));
    const std::vector<std::string> indexed = index_names(site.barman);
    for (const std::string& name : received) {
      const bool is_waiting = fs::exists(site.server_directory() / "streaming" / name);
      EXPECT_TRUE(is_waiting || std::ranges::count(indexed, name) == 1) << name << call;
    }
  }
  ASSERT_EQ(run_command(archive).exit_code, 0);
  const std::vector<std::string> indexed = index_names(site.barman);
  EXPECT_EQ(std::set<std::string>(indexed.begin(), indexed.end()).size(), indexed.size());
  for (const std::string& name : received) {
    EXPECT_EQ(std::ranges::count(indexed, name), 1) << name;
    EXPECT_FALSE(fs::exists(site.server_directory() / "streaming" / name));
  }
  EXPECT_THAT(different_segments(site, indexed), IsEmpty());
  const fs::path errors = site.server_directory() / "errors";
  EXPECT_TRUE(!fs::exists(errors) || fs::is_empty(errors));
  // It makes what a new server lacks.
  site.barman.run({"check", "main"});
  const CommandResult check = site.barman.run({"catalogue-check", "main"});
  EXPECT_EQ(check.exit_code, 0) << check.out << check.err;
}

TEST_F(CloudServerWal, AStoreThatIsAwayKeepsTheWalWaiting) {
  WalBucketSite bucket("wal-away");
  StreamingSite site(in_bucket(bucket));
  site.start_receiver();
  site.archive_a_segment();
  const std::vector<std::string> before = index_names(site.barman);
  bucket.network().cut();
  for (int segment = 0; segment < 3; ++segment) {
    site.postgres.query("SELECT pg_create_restore_point('x'); SELECT pg_switch_wal()");
  }
  site.wait_until_acknowledged();
  const CommandResult archiving = site.barman.run({"archive-wal", "main"});
  // Another archiver may be at work, which is no failure.
  if (archiving.exit_code == 0) {
    EXPECT_THAT(archiving.out, HasSubstr("already running"));
  } else {
    EXPECT_THAT(archiving.err, HasSubstr("ERROR: "));
  }
  EXPECT_THAT(site.barman.run({"check", "main"}).out,
              HasSubstr("cloud storage configuration: FAILED (Could not connect to the cloud "
                        "provider for WAL storage."));
  EXPECT_EQ(index_names(site.barman), before);
  // Without an index the bucket must tell all; the check goes on without it.
  const fs::path index = site.server_directory() / "meta/main-xlog.db";
  fs::rename(index, index.string() + ".aside");
  EXPECT_THAT(site.barman.run({"check", "main"}).out,
              AllOf(HasSubstr("cloud storage configuration: FAILED"),
                    HasSubstr("readable backups: FAILED"), HasSubstr("archiver errors: OK")));
  fs::rename(index.string() + ".aside", index);
  // To a recovery that is not "no more WAL".
  const TempDir place;
  const auto restore_wal = [&](const std::string& name) {
    return site.barman.run({"cloud-wal-restore", "main", name, (place.path() / "wal").string()})
        .exit_code;
  };
  EXPECT_EQ(restore_wal(before.front()), 2);
  bucket.network().pass();
  EXPECT_EQ(restore_wal(before.front()), 0);
  EXPECT_EQ(restore_wal("0000000100000F0000000001"), 1);
  // The archiver of the receiver may be waiting for its next try.
  ASSERT_TRUE(eventually([&] {
    return site.barman.run({"archive-wal", "main"}).exit_code == 0 &&
           index_names(site.barman).size() >= before.size() + 3;
  }));
  EXPECT_THAT(different_segments(site, index_names(site.barman)), IsEmpty());
  EXPECT_THAT(site.barman.run({"check", "main"}).out, HasSubstr("cloud storage configuration: OK"));
}

// What archive_command and restore_command of the cluster on this host call.
TEST_F(CloudServerWal, ArchivesAndRestoresByCommand) {
  WalBucketSite bucket("wal-command");
  BarmanHome barman;
  PostgresServer postgres(
      {.settings = {{"archive_mode", "on"},
                    {"wal_keep_size", "2GB"},
                    {"archive_command", "barman cloud-wal-archive -p 4 main %p"}},
       .shape = {.wal_segment_megabytes = 1},
       .environment = barman.environment_for_restore_command()});
  barman.add_section("main", {{"backup_method", "local-to-cloud"},
                              {"conninfo", postgres.conninfo()},
                              {"archiver", "on"},
                              {"compression", "lz4"},
                              {"basebackups_directory", bucket.url()},
                              {"wals_directory", bucket.url()}});
  fs::create_directories(barman.server_directory("main") / "meta");
  std::vector<std::string> names;
  for (int segment = 0; segment < 6; ++segment) {
    names.push_back(postgres.value("SELECT pg_walfile_name(pg_switch_wal())"));
    postgres.query("SELECT pg_create_restore_point('x')");
  }
  postgres.wait_until(fmt::format("last_archived_wal >= '{}' FROM pg_stat_archiver", names.back()));
  const std::vector<std::string> indexed = index_names(barman);
  EXPECT_THAT(indexed, testing::IsSupersetOf(names));
  EXPECT_EQ(std::set<std::string>(indexed.begin(), indexed.end()).size(), indexed.size());
  // Again, as PostgreSQL does after a crash; and another content, which stays out.
  const fs::path wal = postgres.data_directory() / "pg_wal" / names.front();
  EXPECT_EQ(barman.run({"cloud-wal-archive", "main", wal.string()}).exit_code, 0);
  EXPECT_EQ(index_names(barman).size(), indexed.size());
  const TempDir place;
  std::string changed = content_of(wal);
  changed.back() = changed.back() == 'x' ? 'y' : 'x';
  std::ofstream(place.path() / names.front(), std::ios::binary) << changed;
  const CommandResult other =
      barman.run({"cloud-wal-archive", "main", (place.path() / names.front()).string()});
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_THAT(other.err, HasSubstr("holds another content"));
  for (const std::string& name : names) {
    const fs::path target = place.path() / "restored";
    const CommandResult result =
        barman.run({"cloud-wal-restore", "-p", "3", "--spool-dir",
                    (place.path() / "spool").string(), "main", name, target.string()});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.out + result.err, "");
    EXPECT_EQ(content_of(target), content_of(postgres.data_directory() / "pg_wal" / name));
  }
  EXPECT_EQ(barman.run({"cloud-wal-restore", "main", "foo", "x"}).exit_code, 1);
}

// PostgreSQL would take it for the end of its own.
TEST_F(CloudServerWal, HandsOutNoWalToAnotherCluster) {
  const WalBucketSite bucket("whose");
  StreamingSite site(in_bucket(bucket));
  site.start_receiver();
  site.archive_a_segment();
  site.take_backup();
  const std::string name = index_names(site.barman).front();
  const TempDir place;
  fs::create_directory(place.path() / "global");
  const auto restore_wal = [&] {
    CommandRequest request = site.barman.request({"cloud-wal-restore", "main", name, "wal"});
    request.argv.insert(request.argv.begin(), {"env", "--chdir=" + place.path().string()});
    return run_command(request);
  };
  fs::copy_file(site.postgres.data_directory() / "global/pg_control",
                place.path() / "global/pg_control");
  EXPECT_EQ(restore_wal().exit_code, 0);
  fs::remove(place.path() / "wal");
  write_text(place.path() / "global/pg_control", "of another cluster");
  const CommandResult refused = restore_wal();
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("the cluster that asks has the system identifier"),
                                 HasSubstr("HINT: Name the server")));
  EXPECT_FALSE(fs::exists(place.path() / "wal"));
}

TEST_F(CloudServerWal, AnAccidentIsFoundInTheBucketAndUndone) {
  const WalBucketSite bucket("accidents");
  StreamingSite site(in_bucket(bucket, {{"compression", "zstd"}}));
  site.start_receiver();
  site.postgres.query("CREATE TABLE orders AS SELECT generate_series(1, 300) AS id");
  site.archive_a_segment();
  site.take_backup();
  for (int i = 0; i < 4; ++i) site.archive_a_segment();
  const std::string from = site.postgres.value("SELECT clock_timestamp()");
  site.postgres.query("DROP TABLE orders");
  site.archive_a_segment();
  site.wait_until_acknowledged();
  site.barman.run({"archive-wal", "main"});
  EXPECT_FALSE(fs::exists(site.server_directory() / "wals"));
  const CommandResult shown = site.barman.run({"find-accident", "main", "--from", from});
  EXPECT_EQ(shown.exit_code, 0) << shown.out << shown.err;
  EXPECT_THAT(shown.out, AllOf(HasSubstr("DROPPED: "), HasSubstr("public.orders")));
  const CommandResult found = site.barman.run({"-f", "json", "find-accident", "main"});
  const auto accidents = nlohmann::json::parse(found.out).at("main").at("accidents");
  ASSERT_EQ(accidents.size(), 1U) << found.out;
  const TempDir place;
  std::vector<std::string> words = accidents.front().at("command");
  words.erase(words.begin());
  std::ranges::replace(words, std::string("DEST"), (place.path() / "data").string());
  const CommandResult restored = site.barman.run(words);
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  PostgresServer again({.data_directory = place.path() / "data",
                        .environment = site.barman.environment_for_restore_command()});
  again.wait_until_primary();
  EXPECT_EQ(again.value("SELECT count(*) FROM orders"), "300");
}

}  // namespace
}  // namespace barman::test
