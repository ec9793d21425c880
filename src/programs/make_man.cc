// Build tool, not installed: prints a manual page from the table of a program.
//   barman-make-man             barman(1)
//   barman-make-man COMMAND     barman-COMMAND(1)
//   barman-make-man --configuration   barman(5), from the option table
//   barman-make-man --program NAME    NAME(1), another program
//   barman-make-man --list      the names of the available commands, one a line
#include <cstdio>
#include <string>
#include <string_view>

#include "cli/barman_program.h"
#include "cli/configuration_man.h"
#include "command_line/manual.h"
#include "programs/all_programs.h"

namespace {

using namespace barman;

std::string command_names() {
  std::string names;
  for (const command_line::CommandSyntax& command : cli::barman_program().commands) {
    if (command.is_available) names.append(command.name).append("\n");
  }
  return names;
}

// "" when there is no such page.
std::string page_of(int argc, char** argv) {
  if (argc == 1) return command_line::program_man_page(cli::barman_program());
  const std::string_view name = argv[1];
  if (name == "--list") return command_names();
  if (name == "--configuration") return cli::configuration_man_page();
  if (name == "--program" && argc == 3) {
    const command_line::ProgramSpec* program = programs::find_program(argv[2]);
    return program == nullptr ? "" : command_line::program_man_page(*program);
  }
  const command_line::CommandSyntax* command = cli::barman_program().find_command(name);
  return command == nullptr ? "" : command_line::command_man_page(cli::barman_program(), *command);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string page = page_of(argc, argv);
  if (page.empty()) return 2;
  return std::fputs(page.c_str(), stdout) < 0 ? 1 : 0;
}
