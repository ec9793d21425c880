// Base backups as a user takes them: what is on disk, in the metadata and on the terminal, and what
// PostgreSQL's own tool says of the result.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "base/text.h"
#include "support/barman_home.h"
#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/postgres_server.h"
#include "support/standby.h"
#include "support/streaming_site.h"
#include "support/tcp_proxy.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;
using testing::SizeIs;

void expect_silent_success(const CommandResult& result) {
  EXPECT_EQ(result.exit_code, 0) << result.out;
  EXPECT_EQ(result.err, "");
}

BackgroundCommand begin_streaming(BarmanHome& barman, const std::string& server,
                                  const PostgresServer& postgres) {
  expect_silent_success(barman.run({"receive-wal", "--create-slot", server}));
  return barman.spawn_receiver(server, postgres);
}

unsigned mode_of(const fs::path& path) {
  struct stat facts {};
  return stat(path.c_str(), &facts) == 0 ? facts.st_mode & 07777U : 0;
}

std::vector<std::string> keys_of(const Fields& fields) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : fields) keys.push_back(key);
  return keys;
}

std::int64_t number(const Fields& fields, const std::string& key) {
  return parse_integer(fields.at(key)).value_or(-1);
}

void expect_complete_metadata(const Fields& info, const PostgresServer& postgres) {
  EXPECT_THAT(keys_of(info),
              ElementsAre("backup_label", "begin_offset", "begin_time", "begin_wal", "begin_xlog",
                          "children_backup_ids", "cluster_size", "compression", "config_file",
                          "copy_stats", "data_checksums", "deduplicated_size", "encryption",
                          "end_offset", "end_time", "end_wal", "end_xlog", "error", "hba_file",
                          "ident_file", "included_files", "mode", "parent_backup_id", "pgdata",
                          "server_name", "size", "status", "summarize_wal", "systemid",
                          "tablespaces", "timeline", "version", "xlog_segment_size"));
  EXPECT_EQ(info.at("status"), "DONE");
  EXPECT_EQ(info.at("error"), "None");
  EXPECT_EQ(info.at("mode"), "postgres");
  EXPECT_EQ(info.at("server_name"), "main");
  EXPECT_EQ(info.at("systemid"),
            postgres.value("SELECT system_identifier FROM pg_control_system()"));
  EXPECT_EQ(info.at("version"), postgres.value("SHOW server_version_num"));
  EXPECT_EQ(info.at("pgdata"), postgres.data_directory().string());
  EXPECT_EQ(info.at("config_file"), postgres.value("SHOW config_file"));
  EXPECT_EQ(info.at("hba_file"), postgres.value("SHOW hba_file"));
  EXPECT_EQ(info.at("data_checksums"), "on");
  EXPECT_EQ(info.at("summarize_wal"), postgres.major() >= 17 ? "off" : "None");
  EXPECT_EQ(info.at("timeline"), "1");
  EXPECT_EQ(info.at("xlog_segment_size"), "16777216");
  EXPECT_EQ(info.at("compression"), "None");
  EXPECT_EQ(info.at("encryption"), "None");
  EXPECT_GT(number(info, "cluster_size"), 0);
  EXPECT_THAT(info.at("copy_stats"),
              MatchesRegex(R"(\{'copy_time': [0-9.e-]+, 'total_time': [0-9.e-]+\})"));
  const char* moment = R"(2[0-9-]+ [0-9:]+\.[0-9]+\+00:00)";
  EXPECT_THAT(info.at("begin_time"), MatchesRegex(moment));
  EXPECT_THAT(info.at("end_time"), MatchesRegex(moment));
  EXPECT_LT(info.at("begin_time"), info.at("end_time"));
}

constexpr std::int64_t kSegmentBytes = 16 << 20;

// begin and end as PostgreSQL computes them from the positions.
void expect_coherent_positions(const Fields& info, const PostgresServer& postgres) {
  const Rows begin = postgres.query("SELECT file_name, file_offset FROM pg_walfile_name_offset('" +
                                    info.at("begin_xlog") + "')");
  EXPECT_EQ(begin, (Rows{{info.at("begin_wal"), info.at("begin_offset")}}));
  EXPECT_THAT(info.at("backup_label"), HasSubstr("START WAL LOCATION: " + info.at("begin_xlog") +
                                                 " (file " + info.at("begin_wal") + ")"));
  EXPECT_LE(info.at("begin_wal"), info.at("end_wal"));
  const std::int64_t end =
      parse_integer(postgres.value("SELECT '" + info.at("end_xlog") + "'::pg_lsn - '0/0'")).value();
  if (end % kSegmentBytes == 0) {  // the backup ends in the segment before
    const std::int64_t segment = end / kSegmentBytes - 1;
    EXPECT_EQ(info.at("end_wal"),
              fmt::format("{:08X}{:08X}{:08X}", 1, segment / 256, segment % 256));
    EXPECT_EQ(info.at("end_offset"), "0");
  } else {
    EXPECT_EQ(postgres.query("SELECT file_name, file_offset FROM pg_walfile_name_offset('" +
                             info.at("end_xlog") + "')"),
              (Rows{{info.at("end_wal"), info.at("end_offset")}}));
  }
}

std::int64_t tree_size(const fs::path& directory) {
  std::int64_t size_bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file() && !entry.is_symlink()) {
      size_bytes += static_cast<std::int64_t>(entry.file_size());
    }
  }
  return size_bytes;
}

void expect_files_of_backup(const fs::path& backup, const PostgresServer& postgres,
                            const std::string& tablespace_oid) {
  const fs::path data = backup / "data";
  EXPECT_EQ(mode_of(data), 0700U);
  EXPECT_EQ(mode_of(backup / tablespace_oid), 0700U);
  EXPECT_EQ(read_text(data / "PG_VERSION"), std::to_string(postgres.major()) + "\n");
  for (const char* name : {"backup_label", "backup_manifest", "global/pg_control", "pg_hba.conf",
                           "postgresql.conf", "postgresql.auto.conf"}) {
    EXPECT_TRUE(fs::is_regular_file(data / name)) << name;
  }
  EXPECT_FALSE(fs::exists(data / "postmaster.pid"));
  EXPECT_FALSE(fs::exists(data / "tablespace_map"));
  for (const auto& entry : fs::directory_iterator(data / "pg_wal")) {
    EXPECT_TRUE(entry.is_directory()) << entry.path() << " must not be in the backup";
  }
  const fs::path link = data / "pg_tblspc" / tablespace_oid;
  ASSERT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(fs::read_symlink(link), backup / tablespace_oid);
  const auto versions = fs::directory_iterator(backup / tablespace_oid);
  EXPECT_THAT(versions->path().filename().string(),
              testing::StartsWith("PG_" + std::to_string(postgres.major()) + "_"));
}

void expect_index_matches_files(const BarmanHome& barman) {
  std::vector<std::string> names;
  for (const IndexedWal& wal : read_wal_index(barman, "main")) {
    const fs::path file = archived_wal(barman, "main", wal.name);
    struct stat facts {};
    ASSERT_EQ(stat(file.c_str(), &facts), 0) << file;
    EXPECT_EQ(facts.st_size, wal.size_bytes) << wal.name;
    EXPECT_NEAR(std::stod(wal.mtime),
                static_cast<double>(facts.st_mtim.tv_sec) +
                    static_cast<double>(facts.st_mtim.tv_nsec) * 1e-9,
                1e-3)
        << wal.name;
    EXPECT_EQ(wal.compression, "None");
    EXPECT_EQ(wal.encryption, "None");
    names.push_back(wal.name);
  }
  EXPECT_FALSE(names.empty());
  std::ranges::sort(names);
  EXPECT_EQ(names, archived_wal_names(barman, "main"));
}

bool has_verifier(int major) { return major == 15 || major == 17; }

class BackupOfEachVersion : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Backup, BackupOfEachVersion, testing::ValuesIn(all_majors()),
                         testing::PrintToStringParamName());

TEST_P(BackupOfEachVersion, IsTakenAsPostgresAndBarmanWantIt) {
  PostgresServer postgres({.major = GetParam(), .tablespaces = {"fast"}});
  postgres.query("CREATE TABLE t TABLESPACE fast AS SELECT generate_series(1, 10000) AS id");
  const std::string oid = postgres.value("SELECT oid FROM pg_tablespace WHERE spcname = 'fast'");
  BarmanHome barman;
  barman.add_streaming_server("main", postgres);
  const BackgroundCommand receiver = begin_streaming(barman, "main", postgres);

  expect_silent_success(barman.run({"backup", "--wait", "main"}));

  const std::vector<std::string> ids = barman.backup_ids("main");
  ASSERT_THAT(ids, SizeIs(1));
  const Fields info = read_backup_info(barman, "main", ids[0]);
  expect_complete_metadata(info, postgres);
  expect_coherent_positions(info, postgres);
  EXPECT_EQ(info.at("tablespaces"),
            "[('fast', " + oid + ", '" + postgres.tablespace_directory("fast").string() + "')]");
  const fs::path backup = barman.server_directory("main") / "base" / ids[0];
  expect_files_of_backup(backup, postgres, oid);
  // The copy of the metadata comes later.
  EXPECT_EQ(number(info, "size"),
            tree_size(backup) - static_cast<std::int64_t>(fs::file_size(backup / "backup.info")));
  EXPECT_EQ(info.at("deduplicated_size"), info.at("size"));
  if (has_verifier(GetParam())) {
    run_checked({.argv = {find_tool(GetParam(), "pg_verifybackup"), "--no-parse-wal",
                          (backup / "data").string()}});
  }
  EXPECT_EQ(read_text(barman.server_directory("main") / "identity.json"),
            "{\n    \"systemid\": \"" + info.at("systemid") + "\",\n    \"version\": \"" +
                std::to_string(GetParam()) + "\"\n}\n");
  expect_index_matches_files(barman);
  EXPECT_EQ(postgres.value("SELECT count(*) FROM pg_stat_replication "
                           "WHERE application_name = 'barman_streaming_backup'"),
            "0");
}

TEST(Backup, IsDescribedByItsJsonOutput) {
  PostgresServer postgres;
  BarmanHome barman;
  barman.add_streaming_server("main", postgres);
  const BackgroundCommand receiver = begin_streaming(barman, "main", postgres);

  const CommandResult result =
      barman.run({"-f", "json", "backup", "--wait", "--name", "nightly", "main"});

  expect_silent_success(result);
  EXPECT_THAT(result.out, Not(testing::EndsWith("\n")));
  const nlohmann::json document = nlohmann::json::parse(result.out);
  const Fields info = read_backup_info(barman, "main", barman.backup_ids("main").at(0));
  EXPECT_EQ(document.at("backup_id"), barman.backup_ids("main").at(0));
  EXPECT_EQ(document.at("backup_name"), "nightly");
  EXPECT_EQ(document.at("status"), "DONE");
  EXPECT_EQ(document.at("server_name"), "main");
  EXPECT_EQ(document.at("begin_wal"), info.at("begin_wal"));
  EXPECT_EQ(document.at("end_xlog"), info.at("end_xlog"));
  EXPECT_EQ(std::to_string(document.at("size").get<std::int64_t>()), info.at("size"));
  EXPECT_TRUE(document.at("parent_backup_id").is_null());
  EXPECT_THAT(document.at("begin_time").get<std::string>(),
              MatchesRegex("[A-Z][a-z]+ [A-Z][a-z]+ +[0-9]+ [0-9:]+ [0-9]+"));
  EXPECT_THAT(document.at("_INFO").get<std::vector<std::string>>(),
              testing::Contains(testing::StartsWith("Starting backup using postgres method")));
}

// PostgreSQL does not send what lies behind a symbolic link, and no manifest knows of it.
TEST(Backup, NamesWhatTheServerHasLeftOut) {
  StreamingSite site;
  site.start_receiver();
  site.archive_a_segment();
  const fs::path outside = site.postgres.directory() / "outside";
  fs::create_directory(outside);
  fs::create_directory_symlink(outside, site.postgres.data_directory() / "elsewhere");
  const CommandResult result = site.barman.run({"backup", "--wait", "main"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err, AllOf(HasSubstr("WARNING: PostgreSQL said while it sent the backup: "),
                                HasSubstr("elsewhere")));
  const std::string id = site.listed_backups().front();
  const CommandResult checked = site.barman.run({"check-backup", "main", id});
  EXPECT_EQ(checked.exit_code, 0);
  EXPECT_THAT(checked.err,
              AllOf(HasSubstr("WARNING: PostgreSQL said while it sent backup " + id + ": "),
                    HasSubstr("elsewhere")));
  fs::remove(site.postgres.data_directory() / "elsewhere");
  const std::string next = site.take_backup();
  EXPECT_EQ(site.barman.run({"check-backup", "main", next}).err, "");
}

TEST(Backup, IsFoundByItsName) {
  PostgresServer postgres;
  BarmanHome barman;
  barman.add_streaming_server("main", postgres);
  const BackgroundCommand receiver = begin_streaming(barman, "main", postgres);
  expect_silent_success(barman.run({"backup", "--wait", "--name", "before upgrade", "main"}));
  const std::string id = barman.backup_ids("main").at(0);

  EXPECT_EQ(read_backup_info(barman, "main", id).at("backup_name"), "before upgrade");
  const CommandResult shown = barman.run({"show-backup", "main", "before upgrade"});
  expect_silent_success(shown);
  EXPECT_THAT(shown.out, testing::StartsWith("Backup " + id + ":\n"));
  EXPECT_THAT(barman.run({"list-backups", "main"}).out,
              testing::StartsWith("main " + id + " 'before upgrade' - F - "));
  for (const char* reserved : {"latest", "auto", "20261121T014320", ""}) {
    const CommandResult refused = barman.run({"backup", "--name", reserved, "main"});
    EXPECT_EQ(refused.exit_code, 2) << reserved;
    EXPECT_THAT(refused.err, HasSubstr("argument --name")) << reserved;
  }
  EXPECT_THAT(barman.backup_ids("main"), SizeIs(1));
}

TEST(Backup, OfAllServersGoesOnWhenOneFails) {
  PostgresServer first;
  PostgresServer second({.major = 14, .shape = {.system_id = SystemId::own}});
  BarmanHome barman;
  barman.add_streaming_server("alpha", first);
  barman.add_streaming_server("omega", second);
  barman.add_streaming_server("broken", first,
                              {{"conninfo", "host=127.0.0.1 port=1 user=barman dbname=postgres"}});
  barman.add_streaming_server("idle", first, {{"active", "false"}});
  const BackgroundCommand receiver = begin_streaming(barman, "alpha", first);
  const BackgroundCommand other_receiver = begin_streaming(barman, "omega", second);

  const CommandResult result = barman.run({"backup", "--wait", "all"});

  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(
      result.err,
      testing::AllOf(testing::StartsWith("ERROR: Impossible to start the backup. Check the log for "
                                         "more details, or run 'barman check broken'\nHINT: "),
                     HasSubstr("\nHINT: PostgreSQL: connection to server")));
  EXPECT_THAT(result.out, HasSubstr("Skipping inactive server 'idle'\n"));
  EXPECT_LT(result.out.find("for server alpha in"), result.out.find("for server omega in"));
  EXPECT_EQ(read_backup_info(barman, "alpha", barman.backup_ids("alpha").at(0)).at("status"),
            "DONE");
  EXPECT_EQ(read_backup_info(barman, "omega", barman.backup_ids("omega").at(0)).at("status"),
            "DONE");
  EXPECT_THAT(barman.backup_ids("broken"), IsEmpty());

  const CommandResult named = barman.run({"backup", "--wait", "omega", "nobody", "alpha"});
  EXPECT_EQ(named.exit_code, 1);
  EXPECT_THAT(named.err, HasSubstr("ERROR: Unknown server 'nobody'\n"));
  EXPECT_THAT(barman.backup_ids("alpha"), SizeIs(2));
  EXPECT_THAT(barman.backup_ids("omega"), SizeIs(2));
}

// Ends the connection that sends the base backup, as soon as it is there.
bool cut_base_backup(const PostgresServer& postgres) {
  Session session(postgres.conninfo());
  return eventually([&] {
    return !session
                .query(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_replication "
                    "WHERE application_name = 'barman_streaming_backup' AND state = 'backup'")
                .empty();
  });
}

TEST(Backup, IsTriedAgainAfterACutConnection) {
  PostgresServer postgres;
  postgres.query("CREATE TABLE t AS SELECT generate_series(1, 100000) AS id");
  BarmanHome barman;
  barman.add_streaming_server("main", postgres);
  const BackgroundCommand receiver = begin_streaming(barman, "main", postgres);

  BackgroundCommand command = barman.spawn({"backup", "--wait", "--bwlimit", "12000",
                                            "--retry-times", "1", "--retry-sleep", "1", "main"});
  ASSERT_TRUE(cut_base_backup(postgres)) << command.out() << command.err();
  const CommandResult result = command.wait().value();

  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err,
              HasSubstr("WARNING: Failure executing a backup using pg_basebackup (attempt 0)\n"
                        "WARNING: The files copied so far will be removed and the backup process "
                        "will restart in 1 seconds\n"));
  const std::string id = barman.backup_ids("main").at(0);
  EXPECT_EQ(read_backup_info(barman, "main", id).at("status"), "DONE");
  run_checked({.argv = {find_tool(kUsualMajor, "pg_verifybackup"), "--no-parse-wal",
                        (barman.server_directory("main") / "base" / id / "data").string()}});
}

TEST(Backup, IsFailedWhenTheConnectionIsCutAndNoRetryIsLeft) {
  PostgresServer postgres;
  postgres.query("CREATE TABLE t AS SELECT generate_series(1, 100000) AS id");
  BarmanHome barman;
  barman.add_streaming_server("main", postgres);
  const BackgroundCommand receiver = begin_streaming(barman, "main", postgres);

  BackgroundCommand command = barman.spawn({"backup", "--bwlimit", "8000", "main"});
  ASSERT_TRUE(cut_base_backup(postgres)) << command.out() << command.err();
  const CommandResult result = command.wait().value();

  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, testing::StartsWith("ERROR: Backup failed copying files.\nDETAILS: "));
  const std::string id = barman.backup_ids("main").at(0);
  const Fields info = read_backup_info(barman, "main", id);
  EXPECT_EQ(info.at("status"), "FAILED");
  EXPECT_THAT(info.at("error"), MatchesRegex(R"(failure copying files \(.*\))"));
  EXPECT_THAT(barman.run({"list-backups", "main"}).out, "main " + id + " - F - FAILED\n");
  expect_silent_success(barman.run({"backup", "--wait", "main"}));
}

TEST(Backup, KeepsTheBandwidthLimit) {
  PostgresServer postgres;
  BarmanHome barman;
  barman.add_streaming_server("main", postgres);
  const BackgroundCommand receiver = begin_streaming(barman, "main", postgres);
  constexpr int kLimitKilobytes = 12000;

  expect_silent_success(
      barman.run({"backup", "--wait", "--bwlimit", std::to_string(kLimitKilobytes), "main"}));

  const Fields info = read_backup_info(barman, "main", barman.backup_ids("main").at(0));
  std::smatch found;
  ASSERT_TRUE(
      std::regex_search(info.at("copy_stats"), found, std::regex("'copy_time': ([0-9.]+)")));
  const double expected_seconds =
      static_cast<double>(number(info, "size")) / 1024 / kLimitKilobytes;
  EXPECT_GT(std::stod(found[1]), expected_seconds * 0.8);
}

TEST(Backup, IsTakenFromAStandby) {
  PostgresServer primary;
  primary.query("CREATE TABLE t AS SELECT generate_series(1, 1000) AS id");
  const TempDir place;
  clone_as_standby(primary, place.path() / "standby");
  PostgresServer standby({.data_directory = place.path() / "standby"});
  BarmanHome barman;
  barman.add_streaming_server("main", standby, {{"primary_conninfo", primary.conninfo("barman")}});
  const BackgroundCommand receiver = begin_streaming(barman, "main", standby);
  make_restart_point(primary, standby);

  const CommandResult result = barman.run({"backup", "--wait", "main"});

  expect_silent_success(result);
  EXPECT_THAT(result.out, testing::ContainsRegex("Backup start at LSN: [0-9A-F]+/[0-9A-F]+\n"));
  const std::string id = barman.backup_ids("main").at(0);
  const Fields info = read_backup_info(barman, "main", id);
  EXPECT_EQ(info.at("status"), "DONE");
  EXPECT_EQ(info.at("pgdata"), standby.data_directory().string());
  EXPECT_THAT(info.at("backup_label"), HasSubstr("BACKUP FROM: standby"));
  run_checked({.argv = {find_tool(kUsualMajor, "pg_verifybackup"), "--no-parse-wal",
                        (barman.server_directory("main") / "base" / id / "data").string()}});

  const fs::path destination = place.path() / "restored";
  expect_silent_success(barman.run({"restore", "main", id, destination.string()}));
  const PostgresServer restored({.data_directory = destination});
  EXPECT_EQ(restored.value("SELECT count(*) FROM t"), "1000");
}

// Without waiting for a restart point: the slot keeps WAL from the last one on.
TEST(Backup, OfAStandbyHasItsWalRightAfterTheSlotWasMade) {
  PostgresServer primary;
  const TempDir place;
  clone_as_standby(primary, place.path() / "standby");
  PostgresServer standby({.data_directory = place.path() / "standby"});
  primary.query("CREATE TABLE t AS SELECT generate_series(1, 1000) AS id");
  standby.wait_until("EXISTS (SELECT FROM pg_class WHERE relname = 't')");
  BarmanHome barman;
  barman.add_streaming_server("main", standby, {{"primary_conninfo", primary.conninfo("barman")}});
  const BackgroundCommand receiver = begin_streaming(barman, "main", standby);
  expect_silent_success(barman.run({"backup", "--wait", "main"}));
  const std::string id = barman.backup_ids("main").at(0);
  EXPECT_EQ(read_backup_info(barman, "main", id).at("status"), "DONE");
}

TEST(Backup, HoldsTablespacesThatAreInPlace) {
  PostgresServer postgres({.settings = {{"allow_in_place_tablespaces", "on"}}});
  postgres.query("CREATE TABLESPACE inside LOCATION ''");
  postgres.query("CREATE TABLE t TABLESPACE inside AS SELECT generate_series(1, 1000) AS id");
  BarmanHome barman;
  barman.add_streaming_server("main", postgres);
  const BackgroundCommand receiver = begin_streaming(barman, "main", postgres);
  expect_silent_success(barman.run({"backup", "--wait", "main"}));
  expect_silent_success(barman.run({"verify-backup", "main", "latest"}));
  expect_silent_success(barman.run({"catalogue-check", "--deep", "main"}));
  const TempDir place;
  expect_silent_success(
      barman.run({"restore", "main", "latest", (place.path() / "restored").string()}));
  const PostgresServer restored({.settings = {{"allow_in_place_tablespaces", "on"}},
                                 .data_directory = place.path() / "restored"});
  EXPECT_EQ(restored.value("SELECT count(*) FROM t"), "1000");
}

// One backup of a PostgreSQL whose process for it can be stopped, through a network that can fail.
class SilentBackup : public testing::Test {
 protected:
  SilentBackup() {
    barman.add_streaming_server(
        "main", postgres,
        {{"streaming_conninfo", network.conninfo("streaming_barman")},
         {"wal_conninfo", postgres.conninfo("barman")},
         {"wal_streaming_conninfo", postgres.conninfo("streaming_barman")}});
    receiver.emplace(begin_streaming(barman, "main", postgres));
    network.set_delay(std::chrono::milliseconds(200));
  }
  std::string begin() {
    backup.emplace(barman.spawn({"backup", "main"}));
    std::string pid;
    EXPECT_TRUE(eventually([&] {
      pid = postgres.value(
          "SELECT coalesce(max(pid), 0) FROM pg_stat_replication "
          "WHERE state = 'backup'");
      return pid != "0";
    }));
    return pid;
  }

  PostgresServer postgres;
  TcpProxy network{postgres.port()};
  BarmanHome barman;
  std::optional<BackgroundCommand> receiver;
  std::optional<BackgroundCommand> backup;
};

TEST_F(SilentBackup, EndsWhenTheServersProcessIsGone) {
  const std::string pid = begin();
  network.stall();
  postgres.query("SELECT pg_terminate_backend(" + pid + ")");
  const auto result = backup->wait();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->exit_code, 1);
  EXPECT_THAT(result->err, HasSubstr("its process " + pid + " that sent the backup is gone"));
  EXPECT_THAT(result->err, HasSubstr("\nHINT: "));
}

TEST_F(SilentBackup, WaitsForAProcessThatIsStopped) {
  const std::string pid = begin();
  ASSERT_EQ(::kill(std::stoi(pid), SIGSTOP), 0);
  network.set_delay(std::chrono::milliseconds(0));
  EXPECT_TRUE(eventually(
      [&] {
        return backup->out().find("its process " + pid + " still exists") != std::string::npos;
      },
      std::chrono::seconds(60)));
  ::kill(std::stoi(pid), SIGCONT);
  const auto result = backup->wait();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->exit_code, 0) << result->err;
}

}  // namespace
}  // namespace barman::test
