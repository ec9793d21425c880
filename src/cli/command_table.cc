#include "cli/command_table.h"

#include <algorithm>

#include "cli/option_specs.h"

namespace barman::cli {
namespace {

std::vector<CommandSpec> make_table() {
  std::vector<CommandSpec> table;
  for (auto* specs :
       {backup_command_specs, restore_command_specs, wal_command_specs, server_command_specs}) {
    for (CommandSpec& command : specs()) table.push_back(std::move(command));
  }
  std::sort(table.begin(), table.end(),
            [](const CommandSpec& a, const CommandSpec& b) { return a.name < b.name; });
  return table;
}

Options make_global_options() {
  return {
      {.names = {"help"},
       .short_names = "h",
       .kind = ValueKind::help,
       .help = "show this help and exit"},
      {.names = {"version"},
       .short_names = "v",
       .kind = ValueKind::version,
       .help = "show the version and exit"},
      {.names = {"config"},
       .short_names = "c",
       .kind = ValueKind::text,
       .help = "use this configuration file",
       .metavar = "CONFIG"},
      {.names = {"color", "colour"},
       .kind = ValueKind::choice,
       .help = "colours in the output: never, always, or on a terminal only (auto)",
       .choices = {"never", "always", "auto"},
       .default_text = "auto"},
      {.names = {"log-level"},
       .kind = ValueKind::choice,
       .help = "level of the log, instead of the configured one",
       .choices = {"NOTSET", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}},
      {.names = {"quiet"}, .short_names = "q", .help = "print warnings and errors only"},
      {.names = {"debug"}, .short_names = "d", .help = "print debug messages"},
      {.names = {"format"},
       .short_names = "f",
       .kind = ValueKind::choice,
       .help = "form of the output",
       .choices = {"console", "json"},
       .default_text = "console"},
  };
}

}  // namespace

const std::vector<CommandSpec>& command_table() {
  static const std::vector<CommandSpec> table = make_table();
  return table;
}

const CommandSpec* find_command(std::string_view name) {
  for (const CommandSpec& command : command_table()) {
    if (command.name == name) return &command;
    for (const std::string_view alias : command.aliases) {
      if (alias == name) return &command;
    }
  }
  return nullptr;
}

const std::vector<OptionSpec>& global_options() {
  static const std::vector<OptionSpec> options = make_global_options();
  return options;
}

}  // namespace barman::cli
