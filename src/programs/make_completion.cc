// Build tool, not installed: prints a completion script of barman, or of another program, made from
// its table.
//   barman-make-completion bash|zsh|fish [PROGRAM]
#include <cstdio>
#include <string>

#include "command_line/completion.h"
#include "programs/all_programs.h"

int main(int argc, char** argv) {
  using namespace barman;
  if (argc != 2 && argc != 3) return 2;
  const auto shell = command_line::find_shell(argv[1]);
  const auto* program = programs::find_program(argc == 3 ? argv[2] : "barman");
  if (!shell || program == nullptr) return 2;
  const std::string text = command_line::completion_script(*program, *shell);
  return std::fputs(text.c_str(), stdout) < 0 ? 1 : 0;
}
