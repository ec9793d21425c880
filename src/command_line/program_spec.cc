#include "command_line/program_spec.h"

#include <algorithm>
#include <iterator>

#include "base/error.h"
#include "base/text.h"

namespace barman::command_line {

bool takes_no_value(ValueKind kind) {
  return kind == ValueKind::flag || kind == ValueKind::help || kind == ValueKind::version;
}

std::string OptionSpec::key() const {
  return replace_all(std::string(target.empty() ? names.front() : target), "-", "_");
}

std::string OptionSpec::display_names() const {
  std::vector<std::string> parts;
  for (const std::string_view name : names) parts.push_back("--" + std::string(name));
  for (const char name : short_names) parts.push_back({'-', name});
  return join(parts, "/");
}

std::vector<OptionSpec> ArgumentSpec::offered_options() const {
  std::vector<OptionSpec> offered;
  std::ranges::copy_if(options, std::back_inserter(offered), &OptionSpec::is_offered);
  return offered;
}

const CommandSyntax* ProgramSpec::find_command(std::string_view command) const {
  for (const CommandSyntax& syntax : commands) {
    if (syntax.name == command) return &syntax;
    if (std::ranges::find(syntax.aliases, command) != syntax.aliases.end()) return &syntax;
  }
  return nullptr;
}

ArgumentSpec ProgramSpec::arguments_of(const CommandSyntax* command) const {
  if (command == nullptr) return arguments;
  ArgumentSpec result = command->arguments;
  result.options.insert(result.options.begin(), help_option());
  return result;
}

const OptionSpec& ProgramSpec::help_option() const {
  const auto found = std::ranges::find(arguments.options, ValueKind::help, &OptionSpec::kind);
  if (found == arguments.options.end()) {
    throw Error(ErrorKind::internal, std::string(name) + " has no option for help");
  }
  return *found;
}

}  // namespace barman::command_line
