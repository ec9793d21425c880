// Build tool, not installed: prints a completion script made from the command table.
//   barman-make-completion bash|zsh|fish
#include <cstdio>
#include <string>
#include <string_view>

#include "cli/completion.h"

int main(int argc, char** argv) {
  const std::string_view shell = argc == 2 ? argv[1] : "";
  std::string text;
  if (shell == "bash") text = barman::cli::bash_completion();
  if (shell == "zsh") text = barman::cli::zsh_completion();
  if (shell == "fish") text = barman::cli::fish_completion();
  if (text.empty()) return 2;
  return std::fputs(text.c_str(), stdout) < 0 ? 1 : 0;
}
