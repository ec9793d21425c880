// diagnose: complete, valid JSON whatever is broken, and free of secrets. generate-manifest: what
// pg_verifybackup accepts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "support/catalogue_files.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

std::vector<std::string> keys(const json& object) {
  std::vector<std::string> names;
  for (const auto& [key, value] : object.items()) names.push_back(key);
  return names;
}

json diagnose(BarmanHome& barman, const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {"diagnose"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const CommandResult result = barman.run(arguments);
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
  const json document = json::parse(result.out, nullptr, false);
  EXPECT_FALSE(document.is_discarded()) << result.out;
  return document;
}

TEST(Diagnose, TellsEverythingAboutARunningServer) {
  StreamingSite site({.postgres = {}, .server = {{"cluster", "main"}}, .home = {}});
  site.barman.add_section("fast", {{"model", "true"}, {"cluster", "main"}, {"check_timeout", "5"}});
  site.start_receiver();
  site.archive_a_segment();
  const std::string id = site.take_backup();
  const json document = diagnose(site.barman);
  EXPECT_THAT(keys(document), ElementsAre("global", "models", "servers"));
  EXPECT_THAT(keys(document["global"]["system_info"]),
              ElementsAre("barman_ver", "kernel_ver", "python_executable", "python_ver", "release",
                          "rsync_ver", "ssh_ver", "timestamp"));
  EXPECT_THAT(keys(document["global"]["config"]),
              IsSupersetOf({"barman_home", "barman_lock_directory", "config_changes_queue",
                            "errors_list", "lock_directory_cleanup"}));
  EXPECT_EQ(document["models"]["fast"]["config"]["check_timeout"], 5);
  EXPECT_TRUE(document["models"]["fast"]["config"]["conninfo"].is_null());

  const json& server = document["servers"]["main"];
  EXPECT_THAT(keys(server),
              ElementsAre("active_model", "backups", "config", "msg_list", "status", "wals"));
  // The options of Barman, and those of ours (is_own_option()).
  EXPECT_EQ(server["config"].size(), 127U);
  EXPECT_EQ(server["config"]["name"], "main");
  EXPECT_EQ(server["config"]["backup_options"], "concurrent_backup");
  EXPECT_TRUE(server["status"]["current_size"].is_number_float());
  EXPECT_TRUE(server["status"]["connection_error"].is_null());
  EXPECT_THAT(server["status"]["replication_slot"], testing::SizeIs(3));
  EXPECT_EQ(server["status"]["replication_slot"][0], "barman");
  EXPECT_EQ(server["status"]["replication_slot"][1], true);

  const json& backup = server["backups"][id];
  EXPECT_EQ(backup["status"], "DONE");
  EXPECT_EQ(backup["backup_id"], id);
  EXPECT_THAT(backup["begin_time"].get<std::string>(), testing::MatchesRegex("....-..-..T.*"));
  EXPECT_THAT(backup["backup_label"].get<std::string>(), testing::StartsWith("'START WAL"));
  const std::vector<IndexedWal> wals = read_wal_index(site.barman, "main");
  const json& last = server["wals"]["last_archived_wal_per_timeline"]["00000001"];
  EXPECT_THAT(keys(last), ElementsAre("compression", "encryption", "name", "size", "time"));
  EXPECT_EQ(last["name"], wals.back().name);
  EXPECT_EQ(last["size"], wals.back().size_bytes);
  EXPECT_TRUE(last["time"].is_number_float());

  const json sources = diagnose(site.barman, {"--show-config-source"});
  const json& config = sources["servers"]["main"]["config"];
  EXPECT_EQ(config["slot_name"]["source"], site.barman.configuration_file().string());
  EXPECT_EQ(config["slot_name"]["value"], "barman");
  EXPECT_EQ(config["check_timeout"]["source"], "default");
  EXPECT_EQ(sources["global"]["config"]["barman_home"]["source"],
            site.barman.configuration_file().string());
  EXPECT_TRUE(sources["global"]["config"]["errors_list"].is_array());
  EXPECT_EQ(sources["models"]["fast"]["config"]["check_timeout"]["source"],
            site.barman.configuration_file().string());
}

// Each secret has "hush" in it.
TEST(Diagnose, ShowsNoSecret) {
  BarmanHome barman({.global = {{"encryption_passphrase_command", "echo hush1"},
                                {"post_backup_script", "curl --token hush2 https://u:hush3@h/"}},
                     .barman_home = {}});
  barman.add_section("main",
                     {{"conninfo", "host=/nowhere password = 'hush4 x' user=a"},
                      {"streaming_conninfo", "postgresql://u:hush5@/db?host=/nowhere"},
                      {"wal_conninfo", "host=/nowhere PASSWORD=hush6"},
                      {"backup_method", "postgres"},
                      {"archiver", "on"},
                      {"active", "false"},
                      {"encryption_passphrase_command", "printf 'hush7'"},
                      {"pre_backup_script", "PGPASSWORD=hush8 psql -H 'Bearer hush9'"},
                      {"aws_sse_customer_key", "aHVzaGh1c2hodXNoaHVzaGh1c2hodXNoaHVzaGh1c2g="},
                      {"description", "quoted \"password=hush10\" and 'token: hush11'"}});
  barman.add_section("model", {{"model", "true"},
                               {"cluster", "main"},
                               {"primary_conninfo", "password=hush12 host=b"},
                               {"encryption_passphrase_command", "echo hush13"}});
  for (const char* option : {"--show-config-source", "--show"}) {
    const std::string text = diagnose(barman, {option}).dump();
    EXPECT_THAT(text, Not(HasSubstr("hush")));
    EXPECT_THAT(text, Not(HasSubstr("aHVz")));
  }
  const json document = diagnose(barman);
  EXPECT_THAT(document.dump(), Not(HasSubstr("hush")));
  const json& config = document["servers"]["main"]["config"];
  EXPECT_EQ(config["conninfo"], "host=/nowhere password = *REDACTED* user=a");
  EXPECT_EQ(config["streaming_conninfo"], "postgresql://u:*REDACTED*@/db?host=/nowhere");
  EXPECT_EQ(config["aws_sse_customer_key"], "*REDACTED*");
  const CommandResult shown = barman.run({"-f", "json", "show-servers", "main"});
  EXPECT_THAT(shown.out, Not(HasSubstr("aHVz")));
  EXPECT_THAT(shown.out, Not(HasSubstr("hush4")));
}

TEST(Diagnose, WorksWhateverIsBroken) {
  BarmanHome barman;
  barman.add_section("down", {{"conninfo", "host=/nowhere"},
                              {"streaming_conninfo", "host=/nowhere"},
                              {"backup_method", "postgres"},
                              {"archiver", "on"}});
  barman.add_section("disabled", {{"backup_method", "postgres"}, {"archiver", "on"}});
  barman.add_section("resting", {{"active", "false"}, {"conninfo", "host=/nowhere"}});
  barman.add_section("thief", {{"conninfo", "host=/nowhere"},
                               {"streaming_conninfo", "host=/nowhere"},
                               {"backup_method", "postgres"},
                               {"archiver", "on"},
                               {"wals_directory", (barman.home() / "down" / "wals").string()}});
  const fs::path meta = barman.server_directory("down") / "meta";
  fs::create_directories(meta);
  write_text(meta / "20261121T014237-backup.info", "nonsense");
  write_text(barman.server_directory("down") / "base", "not a directory");
  fs::create_directories(barman.server_directory("resting") / "meta");
  write_text(barman.server_directory("resting") / "meta" / "20261121T014237-backup.info", "no");
  const json document = diagnose(barman);
  EXPECT_EQ(document["global"]["config"]["errors_list"].size(), 1U);
  EXPECT_EQ(keys(document["servers"]),
            (std::vector<std::string>{"disabled", "down", "resting", "thief"}));
  EXPECT_TRUE(document["servers"]["resting"]["status"].empty());
  EXPECT_THAT(document["servers"]["resting"]["msg_list"].dump(), HasSubstr("20261121T014237"));
  EXPECT_THAT(document["servers"]["disabled"]["msg_list"].dump(), HasSubstr("conninfo"));
  EXPECT_THAT(document["servers"]["down"]["msg_list"].dump(), HasSubstr("base"));
  EXPECT_TRUE(document["servers"]["down"]["status"]["connection_error"].is_string());
}

TEST(GenerateManifest, WritesWhatPgVerifybackupAccepts) {
  StreamingSite site;
  site.start_receiver();
  site.archive_a_segment();
  const std::string id = site.take_backup();
  const fs::path manifest = site.server_directory() / "base" / id / "data" / "backup_manifest";
  const CommandResult exists = site.barman.run({"generate-manifest", "main", id});
  EXPECT_EQ(exists.exit_code, 1);
  EXPECT_THAT(exists.err, HasSubstr("EXCEPTION: File " + manifest.string() + " already exists."));
  fs::remove(manifest);
  const CommandResult made = site.barman.run({"generate-manifest", "main", "latest"});
  EXPECT_EQ(made.exit_code, 0);
  EXPECT_EQ(made.err, "");
  EXPECT_EQ(made.out,
            "Backup manifest for backup 'latest' successfully generated for server main\n");
  EXPECT_EQ(site.backup_damage(id), "");
  const json document = json::parse(read_text(manifest));
  EXPECT_EQ(document["PostgreSQL-Backup-Manifest-Version"], 1);
  EXPECT_EQ(document["Files"][0]["Checksum-Algorithm"], "SHA256");
  EXPECT_FALSE(fs::exists(manifest.string() + ".tmp"));
  write_text(manifest.parent_path() / "PG_VERSION", "99\n");
  EXPECT_THAT(site.backup_damage(id), HasSubstr("PG_VERSION"));
  fs::remove_all(manifest.parent_path());
  EXPECT_THAT(site.barman.run({"generate-manifest", "main", id}).err,
              HasSubstr("has no data directory"));
}

}  // namespace
}  // namespace barman::test
