// Build tool, not installed: writes the manual pages and the completion scripts of all programs,
// from their tables, so that they never lag behind them.
//   barman-make-documents DIRECTORY
// makes below DIRECTORY (which is emptied):
//   man/barman.1, man/barman.5 (the configuration), man/barman-COMMAND.1, man/PROGRAM.1
//   completion/SHELL for barman, completion/PROGRAM.SHELL for the others
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>

#include "cli/barman_program.h"
#include "cli/configuration_man.h"
#include "command_line/completion.h"
#include "command_line/manual.h"
#include "programs/all_programs.h"

namespace {

namespace fs = std::filesystem;
using namespace barman;

void write_page(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file.exceptions(std::ios::failbit | std::ios::badbit);
  file << text;
  file.close();
}

void write_manual(const fs::path& directory) {
  const command_line::ProgramSpec& barman = cli::barman_program();
  write_page(directory / "barman.5", cli::configuration_man_page());
  for (const command_line::CommandSyntax& command : barman.commands) {
    if (!command.is_available) continue;
    write_page(directory / ("barman-" + std::string(command.name) + ".1"),
               command_line::command_man_page(barman, command));
  }
  for (const command_line::ProgramSpec* program : programs::all_programs()) {
    write_page(directory / (std::string(program->name) + ".1"),
               command_line::program_man_page(*program));
  }
}

void write_completion(const fs::path& directory) {
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    for (const command_line::ProgramSpec* program : programs::all_programs()) {
      const bool is_main = program == &cli::barman_program();
      write_page(directory / (is_main ? shell : std::string(program->name) + "." + shell),
                 command_line::completion_script(*program, *command_line::find_shell(shell)));
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const fs::path directory = argv[1];
    for (const char* kind : {"man", "completion"}) {
      fs::remove_all(directory / kind);
      fs::create_directories(directory / kind);
    }
    write_manual(directory / "man");
    write_completion(directory / "completion");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cannot write the manual pages and completion scripts: %s\n",
                 error.what());
    return 1;
  }
  return 0;
}
