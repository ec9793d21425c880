#include "cli/command_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "cli/commands.h"

namespace barman::cli {
namespace {

TEST(CommandTable, HoldsEveryCommandOfBarmanAndOurs) {
  const std::vector<std::string_view> expected = {"archive-wal",
                                                  "backup",
                                                  "catalogue-check",
                                                  "check",
                                                  "check-archived-wal-range",
                                                  "check-backup",
                                                  "check-wal-archive",
                                                  "cloud-wal-archive",
                                                  "cloud-wal-restore",
                                                  "config-switch",
                                                  "config-update",
                                                  "consolidate",
                                                  "cron",
                                                  "delete",
                                                  "diagnose",
                                                  "doctor",
                                                  "export-backup",
                                                  "find-accident",
                                                  "follow-upgrade",
                                                  "generate-manifest",
                                                  "get-wal",
                                                  "help",
                                                  "import-backup",
                                                  "init",
                                                  "keep",
                                                  "list-backups",
                                                  "list-files",
                                                  "list-processes",
                                                  "list-servers",
                                                  "lock-directory-cleanup",
                                                  "put-wal",
                                                  "rebuild-catalogue",
                                                  "rebuild-xlogdb",
                                                  "receive-wal",
                                                  "replication-status",
                                                  "restore",
                                                  "show-backup",
                                                  "show-servers",
                                                  "status",
                                                  "switch-wal",
                                                  "sync-backup",
                                                  "sync-info",
                                                  "sync-wals",
                                                  "terminate-process",
                                                  "verify-backup",
                                                  "verify-wal"};
  std::vector<std::string_view> names;
  for (const CommandSpec& command : command_table()) names.push_back(command.name);
  EXPECT_EQ(names, expected);
}

TEST(CommandTable, FindsCommandsByAlias) {
  const std::vector<std::pair<std::string_view, std::string_view>> aliases = {
      {"list-backup", "list-backups"}, {"list-process", "list-processes"},
      {"list-server", "list-servers"}, {"recover", "restore"},
      {"show-backups", "show-backup"}, {"show-server", "show-servers"},
      {"switch-xlog", "switch-wal"},   {"verify", "verify-backup"}};
  for (const auto& [alias, name] : aliases) {
    ASSERT_NE(find_command(alias), nullptr) << alias;
    EXPECT_EQ(find_command(alias)->name, name);
  }
  EXPECT_EQ(find_command("list"), nullptr);
}

// getopt_long cannot tell two options of one name apart.
TEST(CommandTable, HasNoOptionNameTwiceInACommand) {
  for (const CommandSpec& command : command_table()) {
    std::set<std::string_view> names = {"help"};
    std::set<char> short_names = {'h'};
    for (const OptionSpec& option : command.options) {
      for (const std::string_view name : option.names) {
        EXPECT_TRUE(names.insert(name).second) << command.name << " --" << name;
      }
      for (const char name : option.short_names) {
        EXPECT_TRUE(short_names.insert(name).second) << command.name << " -" << name;
      }
    }
  }
}

TEST(CommandTable, DescribesEverything) {
  for (const CommandSpec& command : command_table()) {
    EXPECT_FALSE(command.summary.empty()) << command.name;
    for (const OptionSpec& option : command.options) {
      EXPECT_FALSE(option.help.empty()) << command.name << " " << option.display_names();
      const bool has_value_name = !option.metavar.empty() || !option.choices.empty();
      EXPECT_EQ(has_value_name, option.kind != ValueKind::flag)
          << command.name << " " << option.display_names();
    }
  }
}

TEST(CommandTable, NamesServersWhereItWorksOnThem) {
  for (const CommandSpec& command : command_table()) {
    const auto& positionals = command.positionals;
    const bool has_servers = !positionals.empty() && positionals.front().key == "server_name";
    EXPECT_EQ(has_servers, command.servers.arity != ServerArity::none) << command.name;
    if (!has_servers) continue;
    EXPECT_EQ(positionals.front().arity == Arity::one_or_more,
              command.servers.arity == ServerArity::multiple)
        << command.name;
  }
}

TEST(CommandTable, RefusesServersInObjectStorageWithATextOfItsOwn) {
  for (const CommandSpec& command : command_table()) {
    const LocalNeed& needs = command.needs;
    EXPECT_EQ(needs.files == LocalFiles::none, needs.refusal.empty()) << command.name;
    EXPECT_TRUE(needs.files == LocalFiles::none || command.servers.arity != ServerArity::none)
        << command.name;
    const auto is_backup = [](const PositionalSpec& spec) { return spec.key == "backup_id"; };
    EXPECT_TRUE(needs.refusal.find("{backup_id}") == std::string_view::npos ||
                std::ranges::any_of(command.positionals, is_backup))
        << command.name;
    const auto is_exception = [&](const OptionSpec& spec) { return spec.key() == needs.unless; };
    EXPECT_TRUE(needs.unless.empty() || std::ranges::any_of(command.options, is_exception))
        << command.name;
  }
}

TEST(CommandTable, KeepsWalOfAServerOutOfServiceFromBeingLost) {
  const ServerPolicy& policy = find_command("cloud-wal-archive")->servers;
  EXPECT_EQ(policy.inactive, ServerAction::refuse);
  EXPECT_EQ(policy.passive, ServerAction::refuse);
}

}  // namespace
}  // namespace barman::cli
