// Completion of barman, and the manual page of its configuration.
#include "command_line/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "cli/barman_program.h"
#include "cli/command_table.h"
#include "cli/commands.h"
#include "cli/configuration_man.h"
#include "config/option_table.h"

namespace barman::cli {
namespace {

using command_line::Shell;
using testing::HasSubstr;
using testing::Not;

std::string script_for(Shell shell) {
  return command_line::completion_script(barman_program(), shell);
}

TEST(Completion, KnowsEachAvailableCommandAndOption) {
  const std::string bash = script_for(Shell::bash);
  const std::string zsh = script_for(Shell::zsh);
  const std::string fish = script_for(Shell::fish);
  for (const CommandSpec& command : command_table()) {
    if (!is_available(command.name)) continue;
    const std::string name(command.name);
    EXPECT_THAT(zsh, HasSubstr("    '" + name + ":"));
    EXPECT_THAT(fish, HasSubstr(" -a " + name + " -d "));
    for (const OptionSpec& option : command.options) {
      if (!option.is_offered()) {
        EXPECT_THAT(bash, Not(HasSubstr("--" + std::string(option.names.front()) + " ")));
        continue;
      }
      for (const std::string_view spelling : option.names) {
        EXPECT_THAT(bash, HasSubstr("--" + std::string(spelling))) << name;
        EXPECT_THAT(zsh, HasSubstr("--" + std::string(spelling))) << name;
        EXPECT_THAT(fish, HasSubstr(" -l " + std::string(spelling))) << name;
      }
    }
  }
}

TEST(Completion, AsksForServersAndBackups) {
  EXPECT_THAT(script_for(Shell::bash),
              HasSubstr("show-backup|show-backups) echo 'servers backups' ;;"));
  EXPECT_THAT(script_for(Shell::bash), HasSubstr("    check) echo 'server_list' ;;"));
  EXPECT_THAT(script_for(Shell::zsh), HasSubstr("':backup_id:_barman_backups'"));
  EXPECT_THAT(script_for(Shell::fish),
              HasSubstr("and __barman_argument_count 1' -k -a '(__barman_backups)'"));
}

TEST(Completion, OffersTheWordsOfAnOption) {
  EXPECT_THAT(script_for(Shell::bash), HasSubstr(",--format|,-f) echo 'words:console json' ;;"));
  EXPECT_THAT(script_for(Shell::zsh), HasSubstr(":value:(console json)'"));
  EXPECT_THAT(script_for(Shell::fish), HasSubstr(" -l format -s f -x -a 'console json'"));
}

TEST(ConfigurationManPage, DescribesEachOption) {
  const std::string page = configuration_man_page();
  for (const config::Option& option : config::server_options()) {
    const auto entry = HasSubstr("\n.B " + std::string(option.name) + "\n");
    if (option.scopes == config::Scope::none) {
      EXPECT_THAT(page, testing::Not(entry)) << "it is no option of a file";
    } else {
      EXPECT_THAT(page, entry);
    }
  }
  for (const config::GlobalOption& option : config::global_options()) {
    EXPECT_THAT(page, HasSubstr("\n.B " + std::string(option.name) + "\n"));
  }
  EXPECT_THAT(page, HasSubstr("Value: one of: rsync, postgres, local\\-rsync"));
}

}  // namespace
}  // namespace barman::cli
