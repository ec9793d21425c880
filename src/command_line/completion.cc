#include "command_line/completion.h"

#include <utility>

#include "base/text.h"

namespace barman::command_line {

std::optional<Shell> find_shell(std::string_view name) {
  if (name == "bash") return Shell::bash;
  if (name == "zsh") return Shell::zsh;
  if (name == "fish") return Shell::fish;
  return std::nullopt;
}

std::string completion_script(const ProgramSpec& program, Shell shell) {
  return program.commands.empty() ? completion_of_options(program, shell)
                                  : completion_of_commands(program, shell);
}

std::vector<std::string> spellings(const OptionSpec& option) {
  std::vector<std::string> result;
  for (const std::string_view name : option.names) result.push_back("--" + std::string(name));
  for (const char name : option.short_names) result.push_back({'-', name});
  return result;
}

std::string shell_identifier(const ProgramSpec& program) {
  return replace_all(std::string(program.name), "-", "_");
}

std::string zsh_text(std::string_view text) {
  std::string result = replace_all(std::string(text), "'", "'\\''");
  result = replace_all(std::move(result), "[", "\\[");
  result = replace_all(std::move(result), "]", "\\]");
  return replace_all(std::move(result), ":", "\\:");
}

std::string fish_text(std::string_view text) {
  std::string result = replace_all(std::string(text), "\\", "\\\\");
  return "'" + replace_all(std::move(result), "'", "\\'") + "'";
}

}  // namespace barman::command_line
