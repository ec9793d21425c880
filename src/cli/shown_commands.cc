#include "cli/shown_commands.h"

#include "cli/commands.h"

namespace barman::cli {

std::vector<const CommandSpec*> shown_commands() {
  std::vector<const CommandSpec*> commands;
  for (const CommandSpec& command : command_table()) {
    if (is_available(command.name)) commands.push_back(&command);
  }
  return commands;
}

const OptionSpec& help_option() {
  static const OptionSpec option = {
      .names = {"help"}, .short_names = "h", .help = "show this help and exit"};
  return option;
}

}  // namespace barman::cli
