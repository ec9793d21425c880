// Geographical redundancy: what a primary tells passive nodes (sync-info).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "support/golden.h"
#include "support/old_catalogue.h"
#include "support/privileges.h"
#include "support/ssh_server.h"

namespace barman::test {
namespace {

using nlohmann::json;
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
  passive.add_section("main", {{"primary_ssh_command", "ssh -p " + std::to_string(ssh.port()) +
                                                           " " + user_name() + "@127.0.0.1"}});
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
  EXPECT_THAT(nonsense.err, HasSubstr("the answer of the primary node is not a JSON object"));
  passive.set("main", "primary_ssh_command", "echo gone >&2; exit 255;");
  const CommandResult gone = run({"sync-info", "--primary", "main"});
  EXPECT_EQ(gone.exit_code, 1);
  EXPECT_THAT(gone.err, HasSubstr("exit code 255: gone"));
}

}  // namespace
}  // namespace barman::test
