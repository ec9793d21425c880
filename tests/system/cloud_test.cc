// The programs for buckets, with a real object store: what PostgreSQL archives with them and what
// they back up becomes a server again, with the rows of the moment that was asked for.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "support/catalogue_files.h"
#include "support/cloud_site.h"
#include "support/eventually.h"
#include "support/object_server.h"
#include "support/postgres_server.h"
#include "support/privileges.h"
#include "support/store_proxy.h"
#include "support/temp_dir.h"
#include "support/writer.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Kind = StoreProxy::Kind;

PostgresOptions archiving_options(const CloudSite& site) {
  return {
      .settings = {{"archive_mode", "on"},
                   {"archive_command", site.command_line("barman-cloud-wal-archive", "--zstd %p")}},
      .tablespaces = {"ts"},
      .environment = site.server().environment()};
}

void prepare_recovery(const CloudSite& site, const fs::path& data, const std::string& settings) {
  std::ofstream(data / "recovery.signal");
  std::ofstream(data / "postgresql.auto.conf", std::ios::app)
      << "archive_mode = off\nrestore_command = '"
      << site.command_line("barman-cloud-wal-restore", "%f %p") << "'\n"
      << settings;
}

class Cloud : public testing::Test {
 protected:
  void SetUp() override {
    if (!ObjectServer::is_available()) GTEST_SKIP() << ObjectServer::kUnavailable;
  }
};

TEST_F(Cloud, ABackupUnderLoadIsRestoredToAPointInTime) {
  const CloudSite site("story");
  PostgresServer postgres(archiving_options(site));
  postgres.query(
      "CREATE TABLE there TABLESPACE ts AS SELECT g AS id, repeat('t', 300) AS text "
      "FROM generate_series(1, 5000) g");
  Writer writer(postgres);
  writer.wait_for_commits(20);
  for (const char* compression : {"--zstd", "--gzip"}) {
    auto options = site.back_up_options(postgres);
    options.insert(options.end(), {compression, "-J", "4", "-n", compression + 2});
    const CommandResult backup = site.run("barman-cloud-backup", {}, options);
    ASSERT_EQ(backup.exit_code, 0) << backup.err;
    EXPECT_EQ(backup.out + backup.err, "");
  }
  const Commit target = writer.wait_for_commits(20);
  writer.wait_for_commits(20);
  const auto commits = writer.stop();
  postgres.query("DROP TABLE there");
  const std::string last = postgres.value("SELECT pg_walfile_name(pg_switch_wal())");
  postgres.wait_until(fmt::format("last_archived_wal >= '{}' FROM pg_stat_archiver", last));

  for (const char* name : {"zstd", "gzip"}) {
    const TempDir place;
    const fs::path data = place.path() / "data";
    std::vector<std::string> options = {"--tablespace", "ts:" + (place.path() / "ts").string()};
    // By hand, as with Barman, or by options.
    const bool is_by_hand = name == std::string("gzip");
    if (!is_by_hand) {
      options.insert(options.end(), {"--target-lsn", target.lsn, "--target-action", "promote"});
    }
    const CommandResult restored = site.run("barman-cloud-restore", {name, data.string()}, options);
    ASSERT_EQ(restored.exit_code, 0) << restored.err;
    EXPECT_EQ(restored.err, "");
    if (is_by_hand) {
      EXPECT_EQ(restored.out, "");
      prepare_recovery(site, data,
                       fmt::format("recovery_target_lsn = '{}'\n"
                                   "recovery_target_action = 'promote'\n",
                                   target.lsn));
    } else {
      EXPECT_THAT(restored.out,
                  AllOf(HasSubstr("\nIMPORTANT\nThese settings have been modified to prevent data "
                                  "losses\n\npostgresql.conf line "),
                        HasSubstr("archive_command = false"),
                        HasSubstr("successfully prepared for recovery!\n")));
    }
    const PostgresServer again({.data_directory = data, .environment = site.environment()});
    again.wait_until("NOT pg_is_in_recovery()");
    EXPECT_EQ(written_ids(again), ids_until(commits, target.id));
    EXPECT_EQ(again.value("SELECT count(*) FROM there"), "5000");
  }
}

// With the index of ours only what differs is read; without one, as of Barman's, all of it is. The
// destination is the cluster itself, which went on.
TEST_F(Cloud, ADeltaRestoreFetchesWhatDiffers) {
  const CloudSite site("delta");
  PostgresServer postgres(archiving_options(site));
  postgres.query(
      "CREATE TABLE there TABLESPACE ts AS SELECT g AS id, md5(g::text) || repeat(md5((g * "
      "7)::text), 10) AS text FROM generate_series(1, 6000) g");
  // Most of the backup, and nobody changes it.
  postgres.query(
      "CREATE TABLE still TABLESPACE ts AS SELECT g AS id, (SELECT string_agg(md5(g || ' ' || i), "
      "'') FROM generate_series(1, 8) i) AS text FROM generate_series(1, 40000) g");
  postgres.query("VACUUM FREEZE still");
  auto options = site.back_up_options(postgres);
  options.insert(options.end(), {"--zstd", "--index", "-n", "one"});
  ASSERT_EQ(site.run("barman-cloud-backup", {}, options).exit_code, 0);
  const std::string id =
      split(split(site.run("barman-cloud-backup-list").out, '\n').at(1), ' ').front();
  postgres.query("CREATE TABLE later (id integer)");
  postgres.query("UPDATE there SET id = -1 WHERE id = 1");
  const fs::path data = postgres.data_directory();
  const fs::path tablespace =
      postgres.value("SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'ts'");
  const auto request = [&](const StoreProxy& proxy, const std::string& place) {
    return site.request_at(
        proxy.endpoint(), "barman-cloud-restore", {"one", place},
        {"--delta-restore", "--target-immediate", "--target-action", "promote", "--tablespace",
         "ts:" + (place == data ? tablespace.string() : place + "-ts")});
  };
  StoreProxy proxy(site.server().port());
  CommandResult result = run_command(request(proxy, data));
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_THAT(result.err, HasSubstr("PostgreSQL runs on it"));
  postgres.stop();
  const TempDir place;
  proxy.reset();
  result = run_command(request(proxy, (place.path() / "new").string()));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::uint64_t all = proxy.answered_bytes();

  for (const bool has_index : {true, false}) {
    SCOPED_TRACE(has_index);
    if (!has_index) {
      site.server().admin(
          {"object", "rm", "--bucket=delta", "--object=path/main/base/" + id + "/index/data"});
    }
    proxy.reset();
    result = run_command(request(proxy, data));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    // The last WAL of a server that was stopped.
    EXPECT_THAT(result.err, HasSubstr("WAL file(s) that are not in the archive"));
    EXPECT_THAT(result.out, HasSubstr(" were there already.\n"));
    if (has_index) EXPECT_LT(proxy.answered_bytes(), all / 2) << "instead of " << all;
    const PostgresServer again({.data_directory = data, .environment = site.environment()});
    again.wait_until("NOT pg_is_in_recovery()");
    EXPECT_EQ(again.value("SELECT count(*) || ' ' || min(id) FROM there"), "6000 1");
    EXPECT_EQ(again.value("SELECT count(*) FROM still"), "40000");
    EXPECT_EQ(again.value("SELECT to_regclass('later') IS NULL"), "t");
  }
}

// As Debian has it: what was restored must not start the old cluster.
TEST_F(Cloud, ConfigurationFromOutsideStartsWhatWasRestored) {
  const CloudSite site("outside");
  PostgresServer postgres(archiving_options(site));
  const TempDir outside;
  const fs::path etc = outside.path() / "etc";
  fs::create_directories(etc / "conf.d");
  postgres.move_configuration_to(etc);
  const fs::path conf = etc / "postgresql.conf";
  write_text(conf, read_text(conf) + "include_dir 'conf.d'\n");
  postgres.restart();
  postgres.query("CREATE TABLE kept AS SELECT generate_series(1, 1000) id");
  ASSERT_EQ(site.run("barman-cloud-backup", {}, site.back_up_options(postgres)).exit_code, 0);
  const std::string last = postgres.value("SELECT pg_walfile_name(pg_switch_wal())");
  postgres.wait_until(fmt::format("last_archived_wal >= '{}' FROM pg_stat_archiver", last));
  for (const bool is_by_hand : {true, false}) {
    const TempDir place;
    const fs::path data = place.path() / "data";
    std::vector<std::string> options = {"--tablespace", "ts:" + (place.path() / "ts").string()};
    if (!is_by_hand) options.emplace_back("--get-wal");
    const CommandResult restored =
        site.run("barman-cloud-restore", {"last", data.string()}, options);
    ASSERT_EQ(restored.exit_code, 0) << restored.err;
    EXPECT_EQ(restored.err, "");
    EXPECT_THAT(restored.out,
                AllOf(HasSubstr("These settings have been modified to prevent data losses"),
                      HasSubstr("data_directory = None"), HasSubstr("hba_file = None")));
    EXPECT_EQ(restored.out.find("archive_command") == std::string::npos, is_by_hand);
    if (is_by_hand) prepare_recovery(site, data, "");
    const PostgresServer again({.data_directory = data, .environment = site.environment()});
    again.wait_until("NOT pg_is_in_recovery()");
    EXPECT_EQ(again.value("SHOW data_directory"), data.string());
    EXPECT_EQ(again.value("SHOW hba_file"), (data / "pg_hba.conf").string());
    EXPECT_EQ(again.value("SELECT count(*) FROM kept"), "1000");
  }
}

TEST_F(Cloud, ProgramsTellOfBackupsAndDeleteThem) {
  const CloudSite site("programs");
  const PostgresServer postgres(archiving_options(site));
  ASSERT_EQ(site.run("barman-cloud-backup", {}, site.back_up_options(postgres)).exit_code, 0);
  auto named = site.back_up_options(postgres);
  named.insert(named.end(), {"-n", "second"});
  ASSERT_EQ(site.run("barman-cloud-backup", {}, named).exit_code, 0);

  const CommandResult list = site.run("barman-cloud-backup-list");
  EXPECT_THAT(list.out, AllOf(HasSubstr("Backup ID "), HasSubstr(" second ")));
  EXPECT_THAT(site.run("barman-cloud-backup-list", {}, {"--format", "json"}).out,
              AllOf(HasSubstr("{\"backups_list\": [{"), HasSubstr("\"server_name\": \"cloud\"")));
  EXPECT_THAT(site.run("barman-cloud-backup-show", {"second"}).out,
              AllOf(HasSubstr("  Status                 : DONE\n"), HasSubstr("    ts ")));
  EXPECT_EQ(site.run("barman-cloud-backup-show", {"20200101T000000"}).exit_code, 1);
  EXPECT_EQ(site.run("barman-cloud-backup-show", {"third"}).exit_code, 4);

  EXPECT_EQ(site.run("barman-cloud-backup-keep", {"first"}, {"--target", "standalone"}).exit_code,
            0);
  EXPECT_EQ(site.run("barman-cloud-backup-keep", {"first"}, {"-s"}).out, "Keep: standalone\n");
  EXPECT_THAT(site.run("barman-cloud-backup-list").out, HasSubstr("KEEP:STANDALONE"));
  const CommandResult kept = site.run("barman-cloud-backup-delete", {}, {"-b", "first"});
  EXPECT_EQ(kept.exit_code, 1);
  EXPECT_THAT(kept.err, HasSubstr("has a current keep request"));
  EXPECT_EQ(site.run("barman-cloud-backup-keep", {"first"}, {"-r"}).exit_code, 0);

  const std::vector<std::string> policy = {"-r", "REDUNDANCY 1"};
  auto dry = policy;
  dry.emplace_back("--dry-run");
  EXPECT_THAT(site.run("barman-cloud-backup-delete", {}, dry).out,
              HasSubstr("Skipping deletion of objects ['path/main/base/"));
  ASSERT_EQ(site.run("barman-cloud-backup-delete", {}, policy).exit_code, 0);
  EXPECT_THAT(site.run("barman-cloud-backup-list").out, HasSubstr(" second "));
  EXPECT_EQ(split(site.run("barman-cloud-backup-list").out, '\n').size(), 3U);
  EXPECT_EQ(site.run("barman-cloud-backup-delete", {}, {"-r", "nonsense"}).exit_code, 3);
}

TEST_F(Cloud, WalComesBackAndIsNeverReplaced) {
  const CloudSite site("wal");
  const TempDir place;
  const auto segment = [&](unsigned number) {
    const std::string name = fmt::format("0000000100000000000000{:02X}", number);
    write_text(place.path() / name, wal_segment(name, "content"));
    return (place.path() / name).string();
  };
  for (unsigned number = 1; number <= 4; ++number) {
    ASSERT_EQ(site.run("barman-cloud-wal-archive", {segment(number)}, {"--gzip"}).exit_code, 0);
  }
  EXPECT_EQ(site.run("barman-cloud-wal-archive", {segment(1)}, {"--gzip"}).exit_code, 0);
  const std::string other = segment(1);
  std::string content = read_text(other);
  content.back() = 'x';
  write_text(other, content);
  const CommandResult refused = site.run("barman-cloud-wal-archive", {other}, {"--gzip"});
  EXPECT_EQ(refused.exit_code, 4);
  EXPECT_THAT(refused.err, HasSubstr("holds another content"));

  // Those that wait go up together with the one that is asked for.
  fs::create_directory(place.path() / "archive_status");
  for (unsigned number = 5; number <= 8; ++number) {
    write_text(place.path() / "archive_status" /
                   (fs::path(segment(number)).filename().string() + ".ready"),
               "");
  }
  const std::vector<std::string> together = {"-p", "3", "--archived-cache-dir",
                                             (place.path() / "notes").string()};
  ASSERT_EQ(site.run("barman-cloud-wal-archive", {segment(5)}, together).exit_code, 0);
  const auto is_archived = [&](unsigned number) {
    return site.run("barman-cloud-wal-restore",
                    {fs::path(segment(number)).filename().string(), (place.path() / "x").string()})
               .exit_code == 0;
  };
  EXPECT_TRUE(is_archived(7));
  EXPECT_FALSE(is_archived(8));
  // Of what was noted, and below of what was fetched ahead, nothing is asked: libcurl and its
  // thirty libraries, most of a start, are not even loaded.
  const auto loads_curl = [&](const std::string& program, const std::vector<std::string>& words,
                              const std::vector<std::string>& options) {
    CommandRequest request = site.request(program, words, options);
    request.environment["LD_DEBUG"] = "files";
    const CommandResult result = run_command(request);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.err.find("libcurl.so") != std::string::npos;
  };
  EXPECT_FALSE(loads_curl("barman-cloud-wal-archive", {segment(7)}, together));
  EXPECT_FALSE(is_archived(8)) << "what was noted is not archived again";

  const std::string name = "000000010000000000000001";
  const std::string to = (place.path() / "to").string();
  const std::vector<std::string> ahead = {"-p", "3", "--spool-dir",
                                          (place.path() / "spool").string()};
  // Whose background looks for the keys where the caller has them.
  const fs::path keys = place.path() / "keys";
  write_text(keys, fmt::format("[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
                               site.server().access_key(), site.server().secret_key()));
  CommandRequest fetching = site.request("barman-cloud-wal-restore", {name, to}, ahead);
  fetching.environment["AWS_SHARED_CREDENTIALS_FILE"] = "keys";
  fetching.argv.insert(fetching.argv.begin(),
                       {"env", "-u", "AWS_ACCESS_KEY_ID", "-u", "AWS_SECRET_ACCESS_KEY",
                        "--chdir=" + place.path().string()});
  const CommandResult fetched = run_command(fetching);
  ASSERT_EQ(fetched.exit_code, 0) << fetched.err;
  EXPECT_EQ(read_text(to), wal_segment(name, "content"));
  for (const char* next : {"000000010000000000000002", "000000010000000000000003"}) {
    EXPECT_TRUE(eventually([&] {
      for (const auto& entry : fs::recursive_directory_iterator(place.path() / "spool")) {
        if (entry.path().filename() == next) return true;
      }
      return false;
    })) << next;
  }
  EXPECT_FALSE(loads_curl("barman-cloud-wal-restore", {"000000010000000000000002", to}, ahead));
  EXPECT_EQ(read_text(to), wal_segment("000000010000000000000002", "content"));

  const CommandResult absent =
      site.run("barman-cloud-wal-restore", {"0000000100000000000000AA", to});
  EXPECT_EQ(absent.exit_code, 1);
  EXPECT_THAT(absent.err, HasSubstr("ERROR: WAL file 0000000100000000000000AA for server main does "
                                    "not exist"));
  EXPECT_THAT(absent.err, Not(HasSubstr("no WAL segment at all")));
  CommandRequest mistyped =
      site.request("barman-cloud-wal-restore", {"0000000100000000000000AA", to});
  std::replace(mistyped.argv.begin(), mistyped.argv.end(), std::string("main"),
               std::string("mian"));
  const CommandResult elsewhere = run_command(mistyped);
  EXPECT_EQ(elsewhere.exit_code, 1) << "as with Barman";
  EXPECT_THAT(elsewhere.err, HasSubstr("/path/mian/wals/\" holds no WAL segment at all: compare"));
  EXPECT_EQ(site.run("barman-cloud-wal-restore", {"nonsense", to}).exit_code, 3);
  EXPECT_EQ(site.run("barman-cloud-check-wal-archive").exit_code, 1);
  EXPECT_EQ(site.run("barman-cloud-check-wal-archive", {}, {"--timeline", "2"}).exit_code, 0);
}

TEST_F(Cloud, ExitCodesTellWhatWentWrong) {
  const CloudSite site("codes");
  const std::string unreachable = "http://127.0.0.1:1";
  const auto run = [&](const std::string& name, std::vector<std::string> words,
                       const std::string& endpoint, const std::string& url) {
    CommandRequest request{.argv = {site.program(name).string(), "--endpoint-url", endpoint},
                           .environment = site.server().environment()};
    request.environment["AWS_MAX_ATTEMPTS"] = "1";
    request.argv.insert(request.argv.end(), words.begin(), words.end());
    request.argv.insert(request.argv.end(), {url, "main"});
    return run_command(request).exit_code;
  };
  const std::string endpoint = site.server().endpoint();
  EXPECT_EQ(run("barman-cloud-backup-list", {"-t"}, endpoint, site.url()), 0);
  EXPECT_EQ(run("barman-cloud-backup-list", {"-t"}, endpoint, "s3://absent/path"), 1);
  EXPECT_EQ(run("barman-cloud-backup-list", {}, endpoint, "s3://absent/path"), 4);
  EXPECT_EQ(run("barman-cloud-backup-list", {"-t"}, unreachable, site.url()), 2);
  EXPECT_EQ(run("barman-cloud-backup-list", {}, unreachable, site.url()), 2);
  EXPECT_EQ(run("barman-cloud-backup-list", {}, endpoint, "http://no/bucket"), 4);
  EXPECT_EQ(run("barman-cloud-backup-list", {"--nonsense"}, endpoint, site.url()), 3);
  EXPECT_EQ(run("barman-cloud-backup", {"-d", "host=/nowhere"}, endpoint, site.url()), 1);
  // A store that does not answer is not the end of the WAL (decision 0008).
  const TempDir data;
  const auto restore = [&](const std::string& store) {
    CommandRequest request{
        .argv = {"env", "--chdir=" + data.path().string(),
                 site.program("barman-cloud-wal-restore").string(), "--endpoint-url", store,
                 site.url(), "main", "000000010000000000000001", "wal"},
        .environment = site.server().environment()};
    request.environment["AWS_MAX_ATTEMPTS"] = "1";
    return run_command(request).exit_code;
  };
  EXPECT_EQ(restore(unreachable), 2);
  write_text(data.path() / "recovery.signal", "");
  EXPECT_EQ(restore(unreachable), 126);
  EXPECT_EQ(restore(endpoint), 1) << "it is not there, and that is known";
  write_text(data.path() / "standby.signal", "");
  EXPECT_EQ(restore(unreachable), 2) << "a standby asks again";
}

// Of a cluster whose segments have 64 MiB: too large for one request.
std::string large_segment(const std::string& name) {
  constexpr std::uint32_t kSize = std::uint32_t{64} << 20U;
  constexpr std::size_t kSizeAt = 32;
  constexpr std::size_t kAddressAt = 8;
  const std::uint64_t address = kSize * std::stoull(name.substr(16), nullptr, 16);
  std::string content = wal_segment(name, "content");
  std::memcpy(content.data() + kSizeAt, &kSize, sizeof(kSize));
  std::memcpy(content.data() + kAddressAt, &address, sizeof(address));
  content.resize(kSize, 'x');
  return content;
}

// PostgreSQL takes exit codes for answers about the file, and stops when its command was ended by a
// signal. Nothing half is left in either place.
TEST_F(Cloud, SignalsEndTheProgramsForWal) {
  const CloudSite site("signals");
  StoreProxy proxy(site.server().port());
  const TempDir place;
  const std::string name = "000000010000000000000001";
  const fs::path segment = place.path() / name;
  write_text(segment, wal_segment(name, "content"));
  ASSERT_EQ(site.run("barman-cloud-wal-archive", {segment.string()}).exit_code, 0);

  // The listing comes, and the object does not.
  proxy.add({.method = "GET", .target = name, .skipped = 1, .times = 100, .kind = Kind::stall});
  const fs::path destination = place.path() / "wal";
  BackgroundCommand restore(
      site.request_at(proxy.endpoint(), "barman-cloud-wal-restore", {name, destination.string()}));
  ASSERT_TRUE(eventually([&] { return proxy.count("GET", name) >= 2; }));
  restore.kill(SIGTERM);
  const auto restored = restore.wait();
  ASSERT_TRUE(restored);
  EXPECT_EQ(restored->exit_code, 128 + SIGTERM) << restored->err;
  EXPECT_EQ(fs::exists(destination), false);
  EXPECT_EQ(fs::exists(destination.string() + ".part"), false);

  proxy.reset();
  proxy.add({.method = "PUT", .target = "partNumber=2", .times = 100, .kind = Kind::stall});
  const std::string large = "000000010000000000000002";
  write_text(place.path() / large, large_segment(large));
  BackgroundCommand archive(site.request_at(proxy.endpoint(), "barman-cloud-wal-archive",
                                            {(place.path() / large).string()}));
  ASSERT_TRUE(eventually([&] { return proxy.count("PUT", "partNumber=2") >= 1; }));
  archive.kill(SIGTERM);
  const auto archived = archive.wait();
  ASSERT_TRUE(archived);
  EXPECT_EQ(archived->exit_code, 128 + SIGTERM) << archived->err;
  EXPECT_GE(proxy.count("DELETE", "uploadId="), 1U);
  EXPECT_EQ(site.run("barman-cloud-wal-restore", {large, destination.string()}).exit_code, 1);
}

TEST_F(Cloud, WhatIsNoWalIsNotHandedOut) {
  const CloudSite site("damaged");
  const TempDir place;
  const std::string first = "000000010000000000000001";
  const std::string second = "000000010000000000000002";
  write_text(place.path() / first, wal_segment(second, "content"));
  write_text(place.path() / second, wal_segment(second, "content"));
  const std::string path = (place.path() / first).string();
  const CommandResult kept = site.run("barman-cloud-wal-archive", {path}, {"--zstd"});
  EXPECT_EQ(kept.exit_code, 4);
  EXPECT_THAT(kept.err, HasSubstr(first + "\" is not what its name says: "));
  ASSERT_EQ(site.run("barman-cloud-wal-archive", {(place.path() / second).string()}, {"--zstd"})
                .exit_code,
            0);
  // Barman's own program has archived it.
  run_checked({.argv = {"zstd", "-q", path}});
  run_checked({.argv = {"curl", "-sSf", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user",
                        site.server().access_key() + ":" + site.server().secret_key(), "-T",
                        path + ".zst", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD",
                        site.server().endpoint() + "/damaged/path/main/wals/0000000100000000/" +
                            first + ".zst"}});
  // Called as PostgreSQL does, in a data directory.
  const fs::path data = place.path() / "data";
  fs::create_directories(data);
  const auto restore = [&](const std::string& name, const std::string& destination) {
    CommandRequest request = site.request("barman-cloud-wal-restore", {name, destination});
    request.argv.insert(request.argv.begin(), {"env", "--chdir=" + data.string()});
    return run_command(request);
  };
  const CommandResult refused = restore(first, "wal");
  EXPECT_EQ(refused.exit_code, 4);
  EXPECT_THAT(refused.err, HasSubstr(first + ".zst\" is not what its name says: "));
  EXPECT_EQ(fs::exists(data / "wal"), false);
  write_text(data / "recovery.signal", "");
  EXPECT_EQ(restore(first, "wal").exit_code, 126) << "it is not the end of the WAL";
  EXPECT_EQ(restore(second, "wal").exit_code, 0);

  // The same of another cluster, for who asks as a cluster.
  const PostgresServer postgres;
  fs::create_directories(data / "global");
  fs::copy_file(postgres.data_directory() / "global/pg_control", data / "global/pg_control");
  const CommandResult foreign = restore(second, "wal");
  EXPECT_EQ(foreign.exit_code, 126);
  EXPECT_THAT(foreign.err, HasSubstr("it belongs to the cluster with system id"));
  EXPECT_EQ(restore(second, (data / "wal").string()).exit_code, 0);
}

// What is interrupted is no backup, and the next one is.
TEST_F(Cloud, ABackupThatIsEndedIsNoBackup) {
  const CloudSite site("ended");
  const PostgresServer postgres(archiving_options(site));
  auto slow = site.back_up_options(postgres);
  slow.insert(slow.end(), {"--max-bandwidth", "100kB"});
  BackgroundCommand running(site.request("barman-cloud-backup", {}, slow));
  ASSERT_TRUE(eventually([&] {
    return site.run("barman-cloud-backup-list").out.find("STARTED") != std::string::npos;
  }));
  running.kill(SIGTERM);
  const auto ended = running.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->exit_code, 1) << ended->err;
  EXPECT_THAT(site.run("barman-cloud-backup-list").out, HasSubstr(" FAILED "));
  const TempDir place;
  const CommandResult restore =
      site.run("barman-cloud-restore", {"last", (place.path() / "data").string()});
  EXPECT_EQ(restore.exit_code, 1);
  EXPECT_THAT(restore.err, HasSubstr("its status is FAILED"));
  ASSERT_EQ(site.run("barman-cloud-backup", {}, site.back_up_options(postgres)).exit_code, 0);
  EXPECT_EQ(site.run("barman-cloud-restore", {"auto", (place.path() / "data").string()},
                     {"--tablespace", "ts:" + (place.path() / "ts").string()})
                .exit_code,
            0);
}

}  // namespace
}  // namespace barman::test
