// Geographical redundancy: what a primary tells passive nodes (sync-info), and what they copy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/golden.h"
#include "support/old_catalogue.h"
#include "support/privileges.h"
#include "support/ssh_server.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Arguments = std::vector<std::string>;

// A primary with a catalogue and no PostgreSQL.
class SyncInfo : public testing::Test {
 protected:
  SyncInfo() {
    primary_.add_section("main", {{"conninfo", "host=127.0.0.1 port=1 user=b password=hunter2"},
                                  {"streaming_conninfo", "host=127.0.0.1 port=1 user=nobody"},
                                  {"encryption_passphrase_command", "echo hunter3"},
                                  {"backup_method", "postgres"},
                                  {"archiver", "on"}});
    catalogue_.add_all();
  }

  json ask(const Arguments& more) {
    Arguments arguments = {"sync-info", "main"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const CommandResult result = primary_.run(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");
    return json::parse(result.out, nullptr, false);
  }
  std::vector<std::string> wals(const Arguments& more) {
    std::vector<std::string> names;
    const json answer = ask(more);
    for (const json& wal : answer["wals"]) names.push_back(wal["name"]);
    return names;
  }
  void refused(const Arguments& more, const std::string& message) {
    Arguments arguments = {"sync-info", "main"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const CommandResult result = primary_.run(arguments);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, HasSubstr(message));
  }

  BarmanHome primary_;
  OldCatalogue catalogue_{primary_.server_directory("main"), old_layouts().back()};
};

TEST_F(SyncInfo, IsTheDocumentThatPassiveNodesKnow) {
  const CommandResult result = primary_.run({"sync-info", "main"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, Not(HasSubstr("hunter")));
  Normalizer words;
  words.replace(primary_.directory().string(), "<DIR>");
  expect_golden("sync-info/all", words(result.out) + "\n--- no final newline\n");
  EXPECT_EQ(primary_.run({"-f", "json", "-q", "sync-info", "main"}).out, result.out);
  const json answer = json::parse(result.out);
  for (const auto& [id, backup] : answer["backups"].items()) {
    EXPECT_EQ(backup["backup_id"], id);
    for (const auto& [key, value] : backup.items()) {
      if (key == "backup_id" || key.ends_with("_iso")) continue;
      EXPECT_THAT(known_backup_fields(), testing::Contains(key));
    }
  }
}

TEST_F(SyncInfo, TellsNewerWalOnly) {
  const std::string last = OldCatalogue::wal(10);
  EXPECT_THAT(wals({OldCatalogue::wal(9)}), ElementsAre(last));
  EXPECT_THAT(wals({last}), IsEmpty());
  const json answer = ask({});
  EXPECT_EQ(answer["last_name"], last);
  const std::string position = std::to_string(answer["last_position"].get<int>());
  EXPECT_THAT(wals({last, position}), IsEmpty());
  EXPECT_THAT(wals({OldCatalogue::wal(9), position}), ElementsAre(last));
  EXPECT_THAT(wals({OldCatalogue::wal(9), "0"}), ElementsAre(last));
  refused({"000000010000000000000000"},
          "ERROR: last_wal '000000010000000000000000' is older than the first available wal "
          "'000000010000000000000001'");
  refused({"000000010000000000000010"},
          "ERROR: last_wal '000000010000000000000010' is newer than the last available wal  "
          "'00000001000000000000000A'");
  EXPECT_EQ(primary_.run({"sync-info", "main", last, "-1"}).exit_code, 2);
  EXPECT_EQ(primary_.run({"sync-info", "main", last, "x"}).exit_code, 2);
  refused({"--primary"}, "ERROR: server main is not passive");
}

TEST_F(SyncInfo, IsAskedByAPassiveNodeThroughSsh) {
  if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  const SshServer ssh(primary_);
  BarmanHome passive;
  const std::string command =
      "ssh -p " + std::to_string(ssh.port()) + " " + user_name() + "@127.0.0.1";
  passive.add_section("main", {{"primary_ssh_command", command}});
  const auto run = [&](const Arguments& arguments) {
    CommandRequest request = passive.request(arguments);
    request.environment.merge(ssh.environment());
    return run_command(request);
  };
  const CommandResult all = run({"sync-info", "--primary", "main"});
  EXPECT_EQ(all.exit_code, 0) << all.err;
  EXPECT_EQ(all.err, "");
  EXPECT_EQ(all.out, primary_.run({"sync-info", "main"}).out);
  const CommandResult newer = run({"sync-info", "--primary", "main", OldCatalogue::wal(9), "0"});
  EXPECT_EQ(json::parse(newer.out)["wals"].size(), 1U);
  // The primary has lost what this node has.
  const CommandResult ahead = run({"sync-info", "--primary", "main", "000000010000000000000010"});
  EXPECT_EQ(ahead.exit_code, 0);
  EXPECT_EQ(ahead.out, all.out);
  EXPECT_THAT(ahead.err, HasSubstr("WARNING: sync-info is out of sync. Self-recovery procedure "
                                   "started: requesting full synchronisation from primary server "
                                   "main"));
  passive.set("main", "primary_ssh_command", "echo");
  const CommandResult nonsense = run({"sync-info", "--primary", "main"});
  EXPECT_EQ(nonsense.exit_code, 1);
  EXPECT_EQ(nonsense.out, "");
  EXPECT_THAT(nonsense.err, HasSubstr("is not barman's: it begins with \"barman"));
  // A login shell that talks.
  passive.set("main", "primary_ssh_command", "echo 'Welcome to db1!';" + command);
  const CommandResult talking = run({"cron"});
  EXPECT_EQ(talking.exit_code, 1);
  EXPECT_THAT(talking.err, AllOf(HasSubstr("it begins with \"Welcome to db1!\"\n"),
                                 HasSubstr("HINT: Run primary_ssh_command with the command")));
  passive.set("main", "primary_ssh_command", "echo gone >&2; exit 255;");
  const CommandResult gone = run({"sync-info", "--primary", "main"});
  EXPECT_EQ(gone.exit_code, 1);
  EXPECT_THAT(gone.err, HasSubstr("exit code 255: gone"));
}

// A primary with PostgreSQL, and a node that copies it.
class PassiveNode : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!SshServer::is_available()) return;
    primary_ = std::make_unique<StreamingSite>(
        StreamingSite::Options{.postgres = {.tablespaces = {"ts"}}});
    ssh_.emplace(primary_->barman);
    primary_->postgres.query(
        "CREATE TABLE t TABLESPACE ts AS SELECT generate_series(1, 1000) AS id");
    primary_->start_receiver();
    primary_->archive_a_segment();
  }
  static void TearDownTestSuite() {
    ssh_.reset();
    primary_.reset();
  }
  void SetUp() override {
    if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
    passive_.add_section("main", {{"primary_ssh_command", ssh_command()}});
  }
  static std::string ssh_command() {
    return "ssh -p " + std::to_string(ssh_->port()) + " " + user_name() + "@127.0.0.1";
  }
  // The next test finds a primary without backups.
  void TearDown() override {
    if (!primary_) return;
    for (const std::string& id : primary_->listed_backups()) {
      EXPECT_EQ(primary_->barman.run({"delete", "main", id}).exit_code, 0) << id;
    }
  }
  CommandResult run(const Arguments& arguments) { return run_on(passive_, arguments); }
  static CommandResult run_on(BarmanHome& node, const Arguments& arguments) {
    CommandRequest request = node.request(arguments);
    request.environment.merge(ssh_->environment());
    return run_command(request);
  }
  // What cron asks first, and nothing else.
  static void ask_primary(BarmanHome& node) {
    fs::create_directories(node.server_directory("main"));
    write_text(node.server_directory("main") / "primary.info",
               run_on(node, {"sync-info", "--primary", "main"}).out);
  }
  // A copy whose connection breaks when a part has come.
  void copy_a_part_of(const std::string& id) {
    const TempDir place;
    const std::string again = (place.path() / "directories").string();
    write_text(place.path() / "relay",
               "case \"$*\" in *no-recursion*)\nif mkdir " + again + " 2>/dev/null; then exec " +
                   ssh_command() + " \"$@\"; fi\n" + ssh_command() +
                   " \"$@\" | head -c 2500000; exit;; esac\nexec " + ssh_command() + " \"$@\"\n");
    passive_.set("main", "primary_ssh_command", "sh " + (place.path() / "relay").string());
    EXPECT_EQ(run({"sync-backup", "main", id}).exit_code, 1);
    EXPECT_EQ(status_of(id), "FAILED");
    passive_.set("main", "primary_ssh_command", ssh_command());
  }
  static std::ptrdiff_t count_files(const fs::path& directory) {
    return std::distance(fs::recursive_directory_iterator(directory),
                         fs::recursive_directory_iterator());
  }
  std::string status_of(const std::string& id) {
    const fs::path meta = passive_.server_directory("main") / "meta";
    if (!fs::exists(meta / (id + "-backup.info"))) return "";
    return read_backup_info(passive_, "main", id).at("status");
  }
  std::vector<std::string> processes() {
    std::vector<std::string> lines = split(run({"list-processes", "main"}).out, '\n');
    std::erase_if(lines, [](const std::string& line) { return line.find(" sync-") == line.npos; });
    return lines;
  }
  // cron until nothing is left to copy; what it has started ends before it is asked again.
  void synchronise() {
    ASSERT_TRUE(eventually(
        [&] {
          const std::string out = run({"cron"}).out;
          eventually(
              [&] { return list_processes(passive_.configuration_file().string()).empty(); });
          return processes().empty() &&
                 out.find("No backup synchronisation required") != out.npos &&
                 out.find("No WAL synchronisation required") != out.npos;
        },
        std::chrono::seconds(300)))
        << passive_.log();
  }
  void expect_same_archive() {
    EXPECT_THAT(archived_wal_names(passive_, "main"), testing::IsSupersetOf(needed_names()));
    for (const std::string& name : needed_names()) {
      EXPECT_EQ(read_text(archived_wal(passive_, "main", name)),
                read_text(archived_wal(primary_->barman, "main", name)));
    }
  }
  // From the first backup on.
  std::vector<std::string> needed_names() {
    const std::string first =
        read_backup_info(primary_->barman, "main", primary_->listed_backups().back())
            .at("begin_wal");
    std::vector<std::string> names = archived_wal_names(primary_->barman, "main");
    std::erase_if(names, [&](const std::string& name) { return name < first; });
    return names;
  }

  static inline std::unique_ptr<StreamingSite> primary_;
  static inline std::optional<SshServer> ssh_;
  BarmanHome passive_;
};

TEST_F(PassiveNode, CopiesBackupsAndWalThatCanBeRestored) {
  const std::string first = primary_->take_backup();
  primary_->archive_a_segment();
  const CommandResult cron = run({"cron"});
  EXPECT_EQ(cron.exit_code, 0);
  EXPECT_EQ(cron.err, "");
  EXPECT_THAT(cron.out, HasSubstr("Starting copy of backup " + first +
                                  " for server main\n"
                                  "Started copy of WAL files for server main\n"));
  synchronise();
  EXPECT_EQ(status_of(first), "DONE");
  EXPECT_EQ(read_backup_info(passive_, "main", first).at("mode"), "postgres");
  expect_same_archive();
  // The next backup and its WAL, and nothing else.
  primary_->archive_a_segment();
  const std::string second = primary_->take_backup();
  synchronise();
  EXPECT_EQ(status_of(second), "DONE");
  expect_same_archive();
  EXPECT_EQ(run({"catalogue-check", "--deep", "main"}).exit_code, 0);
  EXPECT_EQ(run({"verify-backup", "main", second}).exit_code, 0);
  EXPECT_THAT(run({"sync-backup", "main", second}).out,
              HasSubstr("Backup " + second + " is already synced with main server"));
  EXPECT_THAT(run({"list-backups", "main"}).out, HasSubstr("main " + second));
  const TempDir place;
  const CommandResult restored = run({"restore", "main", first, (place.path() / "data").string(),
                                      "--tablespace", "ts:" + (place.path() / "ts").string()});
  EXPECT_EQ(restored.exit_code, 0) << restored.err;
  const PostgresServer server({.settings = {}, .data_directory = place.path() / "data"});
  EXPECT_EQ(server.value("SELECT count(*) FROM t"), "1000");
}

TEST_F(PassiveNode, BeginsAgainAfterAFailure) {
  const std::string id = primary_->take_backup();
  EXPECT_EQ(run({"cron"}).exit_code, 0);
  synchronise();
  // A copy that was killed.
  const fs::path info = passive_.server_directory("main") / "meta" / (id + "-backup.info");
  const std::string text = read_text(info);
  write_text(info, replace_all(text, "status=DONE", "status=SYNCING"));
  write_text(passive_.server_directory("main") / "base" / id / "stray", "x");
  const CommandResult again = run({"sync-backup", "main", id});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(again.out + again.err, "");
  EXPECT_EQ(status_of(id), "DONE");
  EXPECT_FALSE(fs::exists(passive_.server_directory("main") / "base" / id / "stray"));
  // The network fails in the middle.
  write_text(info, replace_all(text, "status=DONE", "status=FAILED"));
  const std::string command =
      "ssh -p " + std::to_string(ssh_->port()) + " " + user_name() + "@127.0.0.1";
  passive_.set("main", "primary_ssh_command", "head -c 100000 /dev/zero; echo gone >&2; exit 255;");
  const CommandResult failed = run({"sync-backup", "main", id});
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_THAT(failed.err, HasSubstr("failure syncing server main backup " + id));
  EXPECT_THAT(failed.err, HasSubstr("gone"));
  EXPECT_EQ(status_of(id), "FAILED");
  const CommandResult unreachable = run({"cron"});
  EXPECT_EQ(unreachable.exit_code, 1);
  EXPECT_THAT(unreachable.err, HasSubstr("ERROR: Failed to retrieve the primary node status: "));
  passive_.set("main", "primary_ssh_command", command);
  synchronise();
  EXPECT_EQ(status_of(id), "DONE");
}

TEST_F(PassiveNode, KeepsWhatHasArrivedWhileThePrimaryIsNotReached) {
  primary_->take_backup();
  EXPECT_EQ(run({"cron"}).exit_code, 0);
  synchronise();
  const std::string id = primary_->take_backup();
  primary_->archive_a_segment();
  ask_primary(passive_);
  copy_a_part_of(id);
  const fs::path base = passive_.server_directory("main") / "base" / id;
  const std::ptrdiff_t arrived = count_files(base);
  ASSERT_GT(arrived, 20);
  const auto expect_told = [&](const std::string& reason, const std::string& hint) {
    for (const Arguments& arguments :
         {Arguments{"sync-info", "--primary", "main"}, Arguments{"sync-backup", "main", id},
          Arguments{"sync-wals", "main"}, Arguments{"cron"}}) {
      SCOPED_TRACE(testing::PrintToString(arguments));
      const CommandResult result = run(arguments);
      EXPECT_EQ(result.exit_code, 1);
      EXPECT_THAT(result.err, AllOf(HasSubstr(reason), HasSubstr("HINT: " + hint)));
      EXPECT_EQ(count_files(base), arrived);
    }
    EXPECT_EQ(status_of(id), "FAILED");
  };
  ssh_->stop();
  expect_told("Connection refused", "Try primary_ssh_command by hand");
  ssh_->start();
  // The host was another one when it was met first.
  const TempDir known;
  run_checked({.argv = {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                        (known.path() / "key").string()}});
  write_text(known.path() / "hosts", "[127.0.0.1]:" + std::to_string(ssh_->port()) + " " +
                                         read_text(known.path() / "key.pub"));
  passive_.set("main", "primary_ssh_command",
               ssh_command() + " -o StrictHostKeyChecking=yes -o UserKnownHostsFile=" +
                   (known.path() / "hosts").string());
  expect_told("Host key verification failed", "");
  passive_.set("main", "primary_ssh_command", ssh_command());
  // A .bashrc that talks.
  ssh_->force_command("echo Welcome to db1; eval \"$SSH_ORIGINAL_COMMAND\"");
  expect_told("it begins with \"Welcome to db1\"", "Run primary_ssh_command with the command");
  ssh_->force_command("");
  synchronise();
  EXPECT_EQ(status_of(id), "DONE");
  EXPECT_THAT(passive_.log(),
              HasSubstr(" files of backup " + id + " are here from an earlier attempt"));
  expect_same_archive();
}

TEST_F(PassiveNode, GoesOnWhenItsDiskHasSpaceAgain) {
  if (!Tmpfs::is_available()) GTEST_SKIP() << Tmpfs::kUnavailable;
  constexpr std::uint64_t kMegabyte = std::uint64_t{1} << 20;
  Tmpfs disk(8 * kMegabyte);
  BarmanHome node({.barman_home = disk.path() / "home"});
  node.add_section("main", {{"primary_ssh_command", ssh_command()}});
  const std::string id = primary_->take_backup();
  primary_->archive_a_segment();
  const auto expect_told = [&](const Arguments& arguments) {
    SCOPED_TRACE(testing::PrintToString(arguments));
    const CommandResult result = run_on(node, arguments);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, AllOf(HasSubstr(disk.path().string()),
                                  HasSubstr("No space left on device"), HasSubstr("HINT: ")));
  };
  ask_primary(node);
  expect_told({"sync-backup", "main", id});
  const fs::path base = node.server_directory("main") / "base" / id;
  EXPECT_THAT(run_on(node, {"list-backups", "main"}).out, HasSubstr(id + " - F - FAILED"));
  EXPECT_GT(count_files(base), 5);
  disk.fill_up(0);
  expect_told({"cron"});
  disk.resize(80 * kMegabyte);
  EXPECT_EQ(run_on(node, {"sync-backup", "main", id}).exit_code, 0);
  EXPECT_THAT(node.log(), HasSubstr(" are here from an earlier attempt"));
  EXPECT_EQ(read_backup_info(node, "main", id).at("status"), "DONE");
  disk.fill_up(0);
  expect_told({"sync-wals", "main"});
  fs::remove(disk.path() / "filler");
  EXPECT_EQ(run_on(node, {"sync-wals", "main"}).exit_code, 0);
  EXPECT_THAT(archived_wal_names(node, "main"), testing::IsSupersetOf(needed_names()));
}

// Whatever comes through the user's command: DONE is what proves to be the backup.
TEST_F(PassiveNode, CountsOnlyWhatProvesToBeTheBackup) {
  primary_->postgres.query("CREATE TABLE words AS SELECT 'findme'::text AS word");
  const std::string id = primary_->take_backup();
  const TempDir place;
  const fs::path relay = place.path() / "relay";
  const std::string ssh =
      "ssh -p " + std::to_string(ssh_->port()) + " " + user_name() + "@127.0.0.1";
  passive_.set("main", "primary_ssh_command", "sh " + relay.string());
  const auto copy = [&](const std::string& backup, const std::string& instead_of_tar) {
    write_text(relay, "case $1 in tar) " + instead_of_tar + " ;; esac\nexec " + ssh + " \"$@\"\n");
    const CommandResult info = run({"sync-info", "--primary", "main"});
    fs::create_directories(passive_.server_directory("main"));
    write_text(passive_.server_directory("main") / "primary.info", info.out);
    const CommandResult result = run({"sync-backup", "main", backup});
    EXPECT_EQ(result.exit_code, status_of(backup) == "DONE" ? 0 : 1) << result.err;
    return status_of(backup) == "DONE" ? "DONE" : result.err;
  };
  const std::string flip = ssh + " \"$@\" | LC_ALL=C sed s/findme/findmi/; exit";
  EXPECT_THAT(copy(id, "exit 0"), HasSubstr("what it sent is not a whole tar archive"));
  EXPECT_THAT(copy(id, "exec tar -cf - -T /dev/null"), HasSubstr("without \"data/PG_VERSION\""));
  EXPECT_THAT(copy(id, flip), HasSubstr("arrived with checksum"));
  // Without a manifest the primary tells the digests of its files.
  const fs::path base = primary_->server_directory() / "base";
  const fs::path manifest = base / id / "data" / "backup_manifest";
  fs::rename(manifest, place.path() / "manifest");
  EXPECT_THAT(copy(id, flip), HasSubstr("arrived with the SHA-256"));
  EXPECT_EQ(copy(id, ":"), "DONE");
  EXPECT_FALSE(
      fs::exists(passive_.server_directory("main") / "base" / id / "data" / "backup_manifest"));
  // An archive that is not what its manifest says, be it so on the primary.
  primary_->barman.set("main", "backup_compression", "gzip");
  const std::string second = primary_->take_backup();
  const fs::path archive = base / second / "data" / "base.tar.gz";
  std::string content = read_text(archive);
  char& byte = content[content.size() / 2];
  byte = static_cast<char>(byte ^ 4);
  write_text(archive, content);
  EXPECT_THAT(copy(second, ":"), HasSubstr("the copy is not what its manifest says"));
  byte = static_cast<char>(byte ^ 4);
  write_text(archive, content);
  EXPECT_EQ(copy(second, ":"), "DONE");
  primary_->barman.set("main", "backup_compression", "");
}

TEST_F(PassiveNode, RefusesWhatCannotBe) {
  const std::string id = primary_->take_backup();
  EXPECT_THAT(run({"sync-wals", "main"}).err, HasSubstr("nothing is known of the primary node"));
  EXPECT_THAT(primary_->barman.run({"sync-backup", "main", id}).err,
              HasSubstr("ERROR: server main is not passive"));
  EXPECT_THAT(primary_->barman.run({"sync-wals", "main"}).err,
              HasSubstr("ERROR: server main is not passive"));
  EXPECT_EQ(run({"cron"}).exit_code, 0);
  synchronise();
  EXPECT_THAT(run({"sync-backup", "main", "20200101T000000"}).err,
              HasSubstr("ERROR: Backup 20200101T000000 is absent on main server"));
  EXPECT_EQ(run({"sync-backup", "main", "latest"}).exit_code, 1);
  fs::remove(passive_.server_directory("main") / "meta" / (id + "-backup.info"));
  fs::remove(passive_.server_directory("main") / "base" / id / "backup.info");
  EXPECT_THAT(run({"sync-wals", "main"}).err, HasSubstr("WARNING: No base backup for server main"));
}

// Installed anew, or somebody in between: nothing is asked until somebody has looked.
TEST_F(PassiveNode, AsksNoHostThatHasAnotherKey) {
  const TempDir place;
  const std::string known = (place.path() / "known_hosts").string();
  passive_.set("main", "primary_ssh_command",
               ssh_command() + " -o StrictHostKeyChecking=yes -o UserKnownHostsFile=" + known);
  const std::string key = (place.path() / "key").string();
  run_checked({.argv = {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key}});
  write_text(known, "[127.0.0.1]:" + std::to_string(ssh_->port()) + " " + read_text(key + ".pub"));
  const CommandResult asked = run({"cron"});
  EXPECT_EQ(asked.exit_code, 1);
  EXPECT_THAT(asked.err, AllOf(HasSubstr("cannot ask the primary node of server 'main'"),
                               HasSubstr("Host key verification failed")));
  EXPECT_THAT(run({"check", "main"}).out,
              AllOf(HasSubstr("\tssh: FAILED (Connection failed using 'ssh "),
                    HasSubstr("has changed and you have requested strict checking")));
  EXPECT_FALSE(fs::exists(passive_.server_directory("main") / "primary.info"));
  // Somebody has looked.
  write_text(
      known,
      run_checked({.argv = {"ssh-keyscan", "-p", std::to_string(ssh_->port()), "127.0.0.1"}}));
  const CommandResult again = run({"cron"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
}

TEST_F(PassiveNode, AnswersAsTheGoldenFilesSay) {
  const std::string id = primary_->take_backup();
  primary_->archive_a_segment();
  Normalizer words;
  words.replace(passive_.directory().string(), "<DIR>");
  words.replace(std::to_string(ssh_->port()), "<PORT>");
  words.replace(user_name() + "@", "<USER>@");
  const auto golden = [&](const std::string& name, const Arguments& arguments) {
    SCOPED_TRACE(testing::PrintToString(arguments));
    expect_golden(name, words(transcript(run(arguments))));
  };
  golden("sync-wals/nothing_known", {"sync-wals", "main"});
  golden("sync-wals/nothing_known_json", {"-f", "json", "sync-wals", "main"});
  golden("sync-backup/nothing_known", {"sync-backup", "main", id});
  golden("list-backups/passive_none", {"list-backups", "main"});
  EXPECT_EQ(run({"cron"}).exit_code, 0);
  synchronise();
  golden("sync-backup/done", {"sync-backup", "main", id});
  golden("sync-backup/done_json", {"-f", "json", "sync-backup", "main", id});
  golden("sync-backup/absent", {"sync-backup", "main", "20200101T000000"});
  golden("sync-backup/absent_json", {"-f", "json", "sync-backup", "main", "20200101T000000"});
  golden("sync-wals/done", {"sync-wals", "main"});
  golden("sync-wals/done_json", {"-f", "json", "sync-wals", "main"});
  golden("cron/passive_up_to_date", {"cron"});
  golden("backup/passive", {"backup", "main"});
  passive_.set("main", "primary_ssh_command", "echo gone >&2; exit 255;");
  golden("cron/passive_primary_gone", {"cron"});
}

}  // namespace
}  // namespace barman::test
