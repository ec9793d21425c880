// Build tool, not installed: prints a manual page from the command table.
//   barman-make-man             barman(1)
//   barman-make-man COMMAND     barman-COMMAND(1)
//   barman-make-man --configuration   barman(5), from the option table
//   barman-make-man --program NAME    NAME(1), a program for database hosts, from its own table
//   barman-make-man --list      the names of the available commands, one a line
#include <cstdio>
#include <string>
#include <string_view>

#include "cli/client_manual.h"
#include "cli/command_table.h"
#include "cli/commands.h"
#include "cli/configuration_man.h"
#include "cli/help.h"

namespace {

std::string command_names() {
  std::string names;
  for (const auto& command : barman::cli::command_table()) {
    if (barman::cli::is_available(command.name)) names.append(command.name).append("\n");
  }
  return names;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 1) return std::fputs(barman::cli::program_man_page().c_str(), stdout) < 0 ? 1 : 0;
  const std::string_view name = argv[1];
  if (name == "--list") return std::fputs(command_names().c_str(), stdout) < 0 ? 1 : 0;
  if (name == "--configuration") {
    return std::fputs(barman::cli::configuration_man_page().c_str(), stdout) < 0 ? 1 : 0;
  }
  if (name == "--program" && argc == 3) {
    const barman::client::ClientProgram* program = barman::cli::find_client_program(argv[2]);
    if (program == nullptr) return 2;
    return std::fputs(barman::cli::client_man_page(*program).c_str(), stdout) < 0 ? 1 : 0;
  }
  const barman::cli::CommandSpec* command = barman::cli::find_command(name);
  if (command == nullptr) return 2;
  return std::fputs(barman::cli::command_man_page(*command).c_str(), stdout) < 0 ? 1 : 0;
}
