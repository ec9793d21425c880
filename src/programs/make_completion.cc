// Build tool, not installed: prints a completion script of barman, made from the command table, or
// of a program for database hosts, made from its own table.
//   barman-make-completion bash|zsh|fish [PROGRAM]
#include <cstdio>
#include <string>
#include <string_view>

#include "cli/client_manual.h"
#include "cli/completion.h"

namespace {

std::string completion_of_barman(std::string_view shell) {
  if (shell == "bash") return barman::cli::bash_completion();
  if (shell == "zsh") return barman::cli::zsh_completion();
  if (shell == "fish") return barman::cli::fish_completion();
  return "";
}

std::string completion_of(std::string_view name, std::string_view shell) {
  const barman::client::ClientProgram* program = barman::cli::find_client_program(name);
  if (program == nullptr) return "";
  if (shell == "bash") return barman::cli::client_bash_completion(*program);
  if (shell == "zsh") return barman::cli::client_zsh_completion(*program);
  if (shell == "fish") return barman::cli::client_fish_completion(*program);
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  std::string text;
  if (argc == 2) text = completion_of_barman(argv[1]);
  if (argc == 3) text = completion_of(argv[2], argv[1]);
  if (text.empty()) return 2;
  return std::fputs(text.c_str(), stdout) < 0 ? 1 : 0;
}
