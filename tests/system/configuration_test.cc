// Commands that change the configuration: config-switch with models, config-update with its queue,
// and cron, which applies what was left in the queue.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <nlohmann/json.hpp>

#include "base/file_lock.h"
#include "support/eventually.h"
#include "support/golden.h"
#include "support/privileges.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;
using testing::Not;

using Arguments = std::vector<std::string>;

// Servers that are never connected to.
class ConfigurationCommands : public testing::Test {
 protected:
  ConfigurationCommands() {
    words_.replace(barman_.directory().string(), "<DIR>");
    barman_.add_section("main", {{"conninfo", "host=/nowhere password=hush"},
                                 {"archiver", "on"},
                                 {"backup_method", "postgres"},
                                 {"streaming_conninfo", "host=/nowhere"},
                                 {"cluster", "main"}});
    barman_.add_section("other", {{"conninfo", "host=/nowhere"},
                                  {"archiver", "on"},
                                  {"backup_method", "postgres"},
                                  {"streaming_conninfo", "host=/nowhere"}});
    barman_.add_section(
        "main:low",
        {{"model", "true"}, {"cluster", "main"}, {"check_timeout", "45"}, {"description", "low"}});
    barman_.add_section("elsewhere", {{"model", "true"}, {"cluster", "else"}});
  }

  CommandResult golden(const std::string& name, const Arguments& arguments) {
    const CommandResult result = barman_.run(arguments);
    SCOPED_TRACE(testing::PrintToString(arguments));
    expect_golden(name, words_(transcript(result)));
    return result;
  }
  // Everything that the commands print, and the log.
  std::string all_outputs(const std::vector<Arguments>& commands) {
    std::string text;
    for (const Arguments& arguments : commands) {
      const CommandResult result = barman_.run(arguments);
      text += result.out + result.err;
    }
    return text + barman_.log();
  }
  nlohmann::json shown(const std::string& server) {
    return nlohmann::json::parse(barman_.run({"-f", "json", "show-servers", server}).out)[server];
  }
  fs::path model_file() const { return barman_.server_directory("main") / ".active-model.auto"; }
  fs::path automatic_file() const { return barman_.home() / ".barman.auto.conf"; }
  fs::path queue_file() const { return barman_.home() / "cfg_changes.queue"; }

  BarmanHome barman_;
  Normalizer words_;
};

TEST_F(ConfigurationCommands, TellWhatHasNoEffectAndWriteTheLogInItsForm) {
  barman_.set("main", "warehousepg_dbid", "3");
  barman_.set("main", "combine_mode", "link");
  barman_.set("main", "check_timeout", "-1");
  barman_.set("barman", "log_format", "<%(levelname)s> %(message)s");
  const CommandResult check = barman_.run({"check", "main"});
  EXPECT_THAT(check.err,
              testing::AllOf(HasSubstr("'warehousepg_dbid' of server 'main' has no effect: "),
                             HasSubstr("'combine_mode = link' of server 'main' has no effect: "),
                             HasSubstr("must be 0 or more")));
  EXPECT_THAT(barman_.log(), HasSubstr("<DEBUG> Initialised Barman version "));
}

TEST_F(ConfigurationCommands, HalfOfAConfigurationIsNotFine) {
  const fs::path directory = barman_.directory() / "conf.d";
  fs::create_directories(directory);
  write_text(directory / "second.conf", "[second]\nconninfo = host=/nowhere\narchiver = on\n");
  barman_.set("barman", "configuration_files_directory", directory.string());
  const auto expect_told = [&](const std::string& text) {
    const CommandResult nagios = barman_.run({"check", "--nagios", "all"});
    EXPECT_EQ(nagios.exit_code, 2);
    EXPECT_THAT(nagios.out, HasSubstr("\nERROR: " + text));
    const CommandResult cron = barman_.run({"cron"});
    EXPECT_EQ(cron.exit_code, 1);
    EXPECT_THAT(cron.err, HasSubstr("ERROR: " + text));
    EXPECT_THAT(cron.out, HasSubstr("Starting WAL archiving for server main"));
    EXPECT_EQ(barman_.run({"-q", "cron"}).exit_code, 1);
    EXPECT_EQ(barman_.run({"-q", "cron"}).err, "") << "told once a day";
    EXPECT_EQ(barman_.run({"list-servers"}).exit_code, 0);
  };
  fs::permissions(directory / "second.conf", fs::perms::none);
  expect_told("Discarding configuration file: second.conf (Permission denied)");
  fs::remove(directory / "second.conf");
  EXPECT_EQ(barman_.run({"cron"}).exit_code, 0);
  fs::create_symlink(barman_.directory() / "gone", directory / "second.conf");
  expect_told("Discarding configuration file: second.conf (not found)");
  fs::remove_all(directory);
  expect_told("Ignoring the \"configuration_files_directory\" option as ");
  // What programs get of it is what Barman gives them.
  EXPECT_EQ(barman_.run({"list-servers"}).err, "");
}

TEST_F(ConfigurationCommands, SwitchModels) {
  golden("config-switch/nothing_asked", {"config-switch", "main"});
  golden("config-switch/unknown_model", {"config-switch", "main", "x"});
  golden("config-switch/mismatch", {"config-switch", "main", "elsewhere"});
  EXPECT_FALSE(fs::exists(model_file()));
  golden("config-switch/apply", {"config-switch", "main", "main:low"});
  EXPECT_EQ(read_text(model_file()), "main:low");
  EXPECT_EQ(shown("main")["check_timeout"], 45);
  EXPECT_EQ(shown("main")["active_model"], "main:low");
  golden("config-switch/again_json", {"-f", "json", "config-switch", "main", "main:low"});
  golden("config-switch/reset", {"config-switch", "main", "--reset", "x"});
  EXPECT_FALSE(fs::exists(model_file()));
  EXPECT_EQ(shown("main")["check_timeout"], 30);
  EXPECT_EQ(barman_.run({"config-switch", "--reset", "main"}).exit_code, 0);
}

TEST_F(ConfigurationCommands, TellBadValuesOfAModel) {
  barman_.set("main:low", "retention_policy", "for ever");
  EXPECT_EQ(barman_.run({"config-switch", "main", "main:low"}).exit_code, 0);
  EXPECT_THAT(barman_.log(), HasSubstr("Invalid retention_policy 'for ever': it is not enforced "
                                       "for model main:low"));
  EXPECT_THAT(barman_.run({"check", "main"}).out,
              HasSubstr("retention policy settings: FAILED (see log)"));
}

TEST_F(ConfigurationCommands, ResetAModelThatIsGone) {
  fs::create_directories(barman_.server_directory("main"));
  write_text(model_file(), "gone");
  EXPECT_TRUE(shown("main")["disabled"].get<bool>());
  EXPECT_EQ(barman_.run({"config-switch", "main", "--reset"}).exit_code, 0);
  EXPECT_FALSE(shown("main")["disabled"].get<bool>());
}

TEST_F(ConfigurationCommands, UpdateOptions) {
  golden("config-update/one", {"config-update",
                               R"([{"scope": "server", "server_name": "main", "check_timeout": "31",
               "conninfo": "host=/nowhere password=psst"}])"});
  EXPECT_EQ(read_text(automatic_file()),
            "[main]\ncheck_timeout = 31\nconninfo = host=/nowhere password=psst\n");
  EXPECT_EQ(fs::status(automatic_file()).permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(read_text(queue_file()), "[]");
  EXPECT_EQ(shown("main")["check_timeout"], 31);
  golden("config-update/model_json",
         {"-f", "json", "config-update",
          R"([{"scope": "model", "model_name": "fast", "cluster": "main", "check_timeout": 5},
              {"scope": "server", "server_name": "main", "check_timeout": null}])"});
  EXPECT_EQ(shown("main")["check_timeout"], 30);
  EXPECT_EQ(barman_.run({"config-switch", "main", "fast"}).exit_code, 0);
  EXPECT_EQ(shown("main")["check_timeout"], 5);
  EXPECT_THAT(barman_.log(), Not(HasSubstr("psst")));
}

TEST_F(ConfigurationCommands, RefuseABadUpdateAsAWhole) {
  golden("config-update/bad_value",
         {"config-update",
          R"([{"scope": "server", "server_name": "main", "archiver": "on"},
              {"scope": "server", "server_name": "other", "check_timeout": "x"}])"});
  golden("config-update/bad_scope",
         {"config-update", R"([{"scope": "x", "server_name": "main"}])"});
  golden("config-update/discarded_value",
         {"config-update",
          R"([{"scope": "server", "server_name": "main", "retention_policy": "foo"}])"});
  golden("config-update/bad_json", {"config-update", "[{"});
  golden("config-update/nothing", {"config-update", "[]"});
  EXPECT_FALSE(fs::exists(automatic_file()));
  EXPECT_FALSE(fs::exists(queue_file()));
  const auto lock = FileLock::try_lock(barman_.home() / ".config-update.lock");
  ASSERT_TRUE(lock);
  golden("config-update/busy",
         {"config-update", R"([{"scope": "server", "server_name": "main", "archiver": "on"}])"});
  EXPECT_FALSE(fs::exists(queue_file()));
}

TEST_F(ConfigurationCommands, TellWhatIsMissingAtTheStart) {
  const fs::path file = barman_.directory() / "without.conf";
  write_text(file, "[main]\n");
  const CommandResult result =
      run_command({.argv = {barman_program().string(), "-c", file.string(), "list-servers"}});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err,
            "EXCEPTION: No section: 'barman'\n"
            "HINT: Add a [barman] section to \"" +
                file.string() + "\".\n");
}

TEST_F(ConfigurationCommands, WriteNowhereElseWhenDescriptorsAreClosed) {
  for (const std::string closed : {">&-", "<&- >&- 2>&-"}) {
    CommandRequest request = barman_.request({"list-servers"});
    const Arguments shell = {"sh", "-c", "exec \"$@\" " + closed, "sh"};
    request.argv.insert(request.argv.begin(), shell.begin(), shell.end());
    EXPECT_EQ(run_command(request).exit_code, 1) << closed << ": nobody got the result";
  }
  EXPECT_THAT(barman_.log(), Not(HasSubstr("\nmain")));
}

TEST_F(ConfigurationCommands, NameTheLockThatCronMustNotOpen) {
  const fs::path lock = barman_.home() / ".main-cron.lock";
  barman_.run({"list-servers"});
  write_text(lock, "");
  fs::permissions(lock, fs::perms::none);
  const CommandResult result = barman_.run({"cron"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err,
              HasSubstr("ERROR: Permission denied, unable to access '" + lock.string() + "'\n"));
  EXPECT_THAT(result.err, Not(HasSubstr("EXCEPTION")));
}

TEST_F(ConfigurationCommands, ApplyTheQueueAtTheBeginOfCron) {
  barman_.set("main", "active", "false");
  barman_.set("other", "active", "false");
  fs::create_directories(barman_.home());
  const auto put_queue = [&] {
    write_text(queue_file(), R"([
      {"section": "main", "changes_set": [{"key": "archiver", "value": "maybe", "config_file": "x"}]},
      {"section": "other", "changes_set": [{"key": "check_timeout", "value": 7, "config_file": "x"}]}
    ])");
  };
  put_queue();
  {
    const auto lock = FileLock::try_lock(barman_.home() / ".config-update.lock");
    golden("cron/configuration_busy", {"cron"});
  }
  golden("cron/configuration_changes", {"cron"});
  EXPECT_EQ(shown("other")["check_timeout"], 7);
  EXPECT_EQ(read_text(queue_file()), "[]");
  EXPECT_EQ(transcript(barman_.run({"cron"})), "");
  write_text(queue_file(), "nonsense");
  golden("cron/malformed_queue", {"cron"});
  EXPECT_EQ(barman_
                .run({"config-update",
                      R"([{"scope": "server", "server_name": "other", "check_timeout": 8}])"})
                .exit_code,
            0);
  EXPECT_EQ(shown("other")["check_timeout"], 8);
}

TEST(ConfigurationOfAStreamingServer, IsTakenUpByTheReceiver) {
  StreamingSite site({.postgres = {}, .server = {{"cluster", "main"}}, .home = {}});
  site.barman.add_section("quiet", {{"model", "true"}, {"cluster", "main"}, {"archiver", "on"}});
  site.start_receiver();
  const std::string pid = std::to_string(site.receiver().pid());
  const auto receiver = [&] { return site.barman.run({"list-processes", "main"}).out; };
  const CommandResult switched = site.barman.run({"config-switch", "main", "quiet"});
  EXPECT_EQ(switched.exit_code, 0) << switched.err;
  EXPECT_THAT(switched.out, HasSubstr("Stopped process receive-wal(" + pid +
                                      ")\nStarting streaming archiver for server main\n"));
  site.receiver().wait();
  // At once: the new receiver is found like the old one.
  const CommandResult reset = site.barman.run({"config-switch", "main", "--reset"});
  EXPECT_THAT(reset.out, HasSubstr("Stopped process receive-wal("));
  EXPECT_THAT(receiver(), HasSubstr("receive-wal"));
  const CommandResult updated = site.barman.run(
      {"config-update",
       R"([{"scope": "server", "server_name": "main", "streaming_archiver": "off"}])"});
  EXPECT_EQ(updated.exit_code, 0) << updated.err;
  EXPECT_THAT(updated.out, HasSubstr("Stopped process receive-wal("));
  EXPECT_THAT(updated.out, Not(HasSubstr("Starting")));
  EXPECT_THAT(receiver(), HasSubstr("No active subprocesses"));
}

TEST_F(ConfigurationCommands, NoOutputHoldsASecretThatIsMistyped) {
  barman_.set("main", "conninfo", "host=/nowhere pasword=hunter2");
  barman_.set("main", "streaming_conninfo", "postgresql://u:hunter2@/nowhere?pasword=hunter2");
  barman_.set("main", "ssh_command", "sshpass -p hunter2 ssh nowhere");
  barman_.set("main", "encryption_passphrase_command", "echo hunter2");
  const std::string text = all_outputs(
      {{"check", "main"},
       {"check", "--nagios", "main"},
       {"-f", "json", "check", "main"},
       {"show-servers", "main"},
       {"-f", "json", "show-servers", "main"},
       {"diagnose", "--show-config-source"},
       {"status", "main"},
       {"sync-info", "main"},
       {"backup", "main"},
       {"-d", "cron"},
       {"config-update",
        R"([{"scope": "server", "server_name": "main", "pasword": "hunter2", "y": "hunter2"}])"}});
  EXPECT_THAT(text, HasSubstr("pasword=*REDACTED*"));
  EXPECT_THAT(text, Not(HasSubstr("hunter2")));
}

TEST_F(ConfigurationCommands, MessagesCannotGiveOrdersToATerminal) {
  const CommandResult result = barman_.run({"check", "\033]0;owned\007x"});
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("\\x1b]0;owned\\x07x"));
  EXPECT_THAT(result.out + result.err, Not(HasSubstr("\033]")));
}

}  // namespace
}  // namespace barman::test
