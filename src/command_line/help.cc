#include "command_line/help.h"

#include <set>

#include <fmt/format.h>

#include "base/text.h"

namespace barman::command_line {
namespace {

constexpr std::size_t kWidth = 80;
constexpr std::size_t kHelpColumn = 30;
constexpr std::size_t kBriefHelpColumn = 28;

std::string value_name(const OptionSpec& option) {
  if (!option.choices.empty()) {
    return fmt::format("{{{}}}", fmt::join(option.choices, ","));
  }
  return std::string(option.metavar);
}

// "--jobs NJOBS", "--reuse-backup [{copy,link,off}]", "--wait".
std::string with_value(const std::string& name, const OptionSpec& option) {
  if (takes_no_value(option.kind)) return name;
  if (option.kind == ValueKind::optional_choice) {
    return fmt::format("{} [{}]", name, value_name(option));
  }
  if (option.repetition == Repetition::several_values) {
    return fmt::format("{0} {1} [{1} ...]", name, value_name(option));
  }
  return fmt::format("{} {}", name, value_name(option));
}

// Words joined to lines of at most kWidth columns; lines after the first are indented.
std::string wrap(const std::vector<std::string>& words, std::size_t first_column,
                 std::size_t indent) {
  std::string text;
  std::size_t column = first_column;
  bool is_line_empty = true;
  for (const std::string& word : words) {
    if (!is_line_empty && column + 1 + word.size() > kWidth) {
      text += "\n" + std::string(indent, ' ');
      column = indent;
      is_line_empty = true;
    }
    if (!is_line_empty) {
      text.push_back(' ');
      ++column;
    }
    text += word;
    column += word.size();
    is_line_empty = false;
  }
  return text;
}

// "  NAME            what it is", wrapped in the right column.
std::string help_row(const std::string& name, std::string_view help) {
  std::string row = "  " + name;
  if (row.size() + 2 > kHelpColumn) {
    row += "\n" + std::string(kHelpColumn, ' ');
  } else {
    row.append(kHelpColumn - row.size(), ' ');
  }
  return row + wrap(split_blanks(help), kHelpColumn, kHelpColumn) + "\n";
}

std::string capitalized(std::string_view text) {
  std::string sentence(text);
  sentence.front() = to_upper(sentence.substr(0, 1)).front();
  return sentence;
}

// Of a program without commands.
std::string brief_usage(const ProgramSpec& program) {
  std::string text = fmt::format("usage: {} [options]", program.name);
  for (const PositionalSpec& positional : program.arguments.positionals) {
    text += " " + positional_usage(positional);
  }
  return text + "\n";
}

std::string brief_row(const std::string& name, std::string_view help) {
  return fmt::format("  {:<{}} {}\n", name, kBriefHelpColumn, help);
}

std::string brief_help(const ProgramSpec& program) {
  std::string text =
      fmt::format("{}\n{}. For postgresql.conf:\n  {}\n\narguments:\n", brief_usage(program),
                  capitalized(program.summary), program.example);
  for (const PositionalSpec& positional : program.arguments.positionals) {
    text += brief_row(std::string(positional.metavar), positional.help);
  }
  text += "\noptions:\n";
  for (const OptionSpec& option : program.arguments.options) {
    const std::string name =
        option.short_names.empty() ? "    " : fmt::format("-{}, ", option.short_names.front());
    text += brief_row(name + with_value("--" + std::string(option.names.front()), option),
                      option_help(option));
  }
  return text;
}

std::string command_row(const CommandSyntax& command) {
  std::string name(command.name);
  for (const std::string_view alias : command.aliases) name += fmt::format(" ({})", alias);
  return help_row(name, command.summary);
}

std::string command_rows(const ProgramSpec& program) {
  std::string text;
  std::set<const CommandSyntax*> shown;
  for (const CommandGroup& group : program.groups) {
    text += fmt::format("\n{}, for example: {}\n", group.title, group.example);
    for (const std::string_view name : group.commands) {
      const CommandSyntax* command = program.find_command(name);
      if (command == nullptr || !command->is_available) continue;
      shown.insert(command);
      text += command_row(*command);
    }
  }
  std::string rest;
  for (const CommandSyntax& command : program.commands) {
    if (command.is_available && !shown.contains(&command)) rest += command_row(command);
  }
  if (!rest.empty()) text += (shown.empty() ? "\ncommands:\n" : "\nother commands:\n") + rest;
  return text + fmt::format("\n'{} help COMMAND' tells more of a command.\n", program.name);
}

std::string paragraphs(std::string_view description) {
  std::string text;
  for (const std::string& line : split(description, '\n')) {
    text += fmt::format("\n{}\n", wrap(split_blanks(line), 0, 0));
  }
  return text;
}

// One line, whatever the number of options.
std::string short_usage(const ProgramSpec& program, const CommandSyntax* command) {
  std::string text = fmt::format("usage: {}", program.name);
  if (command != nullptr) text += fmt::format(" {}", command->name);
  text += " [OPTIONS]";
  const bool has_commands = !program.commands.empty();
  if (command == nullptr && has_commands) text += " COMMAND ...";
  const ArgumentSpec spec = program.arguments_of(command);
  for (const PositionalSpec& positional : spec.positionals) {
    text += " " + positional_usage(positional);
  }
  if (!has_commands) return fmt::format("{}; {} --help\n", text, program.name);
  if (command == nullptr) return fmt::format("{}; {} help\n", text, program.name);
  return fmt::format("{}; {} help {}\n", text, program.name, command->name);
}

}  // namespace

std::string names_with_values(const OptionSpec& option) {
  std::vector<std::string> parts;
  for (const char name : option.short_names) parts.push_back(with_value({'-', name}, option));
  for (const std::string_view name : option.names) {
    parts.push_back(with_value("--" + std::string(name), option));
  }
  return join(parts, ", ");
}

std::string positional_usage(const PositionalSpec& spec) {
  switch (spec.arity) {
    case Arity::optional:
      return fmt::format("[{}]", spec.metavar);
    case Arity::one_or_more:
      return fmt::format("{0} [{0} ...]", spec.metavar);
    case Arity::one:
      break;
  }
  return std::string(spec.metavar);
}

std::string option_help(const OptionSpec& option) {
  std::string help(option.help);
  if (option.default_text) help += fmt::format(" (default: {})", *option.default_text);
  return help;
}

std::string usage_text(const ProgramSpec& program, const CommandSyntax* command) {
  if (program.help_style == HelpStyle::brief) return brief_usage(program);
  const std::string begin = command != nullptr
                                ? fmt::format("usage: {} {} ", program.name, command->name)
                                : fmt::format("usage: {} ", program.name);
  const ArgumentSpec spec = program.arguments_of(command);
  std::vector<std::string> words;
  for (const OptionSpec& option : spec.offered_options()) {
    const std::string name = option.short_names.empty() ? "--" + std::string(option.names.front())
                                                        : std::string{'-', option.short_names[0]};
    words.push_back(fmt::format("[{}]", with_value(name, option)));
  }
  if (command == nullptr && !program.commands.empty()) words.emplace_back("command ...");
  for (const PositionalSpec& positional : spec.positionals) {
    words.push_back(positional_usage(positional));
  }
  return begin + wrap(words, begin.size(), begin.size()) + "\n";
}

std::string help_text(const ProgramSpec& program, const CommandSyntax* command) {
  if (program.help_style == HelpStyle::brief) return brief_help(program);
  std::string text = usage_text(program, command);
  const std::string_view summary = command != nullptr ? command->summary : program.summary;
  text += fmt::format("\n{}{}\n", wrap(split_blanks(capitalized(summary)), 0, 0),
                      command != nullptr ? "." : "");
  if (command != nullptr && !command->description.empty()) {
    text += paragraphs(command->description);
  }
  const ArgumentSpec spec = program.arguments_of(command);
  if (!spec.positionals.empty()) text += "\narguments:\n";
  for (const PositionalSpec& positional : spec.positionals) {
    text += help_row(std::string(positional.metavar), positional.help);
  }
  text += "\noptions:\n";
  for (const OptionSpec& option : spec.offered_options()) {
    text += help_row(names_with_values(option), option_help(option));
  }
  if (command == nullptr && !program.commands.empty()) text += command_rows(program);
  return program.epilogue.empty() ? text : text + fmt::format("\n{}\n", program.epilogue);
}

std::string usage_error_text(const ProgramSpec& program, const UsageError& error) {
  const CommandSyntax* command = error.command();
  const std::string name = command != nullptr ? fmt::format("{} {}", program.name, command->name)
                                              : std::string(program.name);
  const std::string usage = program.help_style == HelpStyle::brief
                                ? brief_usage(program)
                                : short_usage(program, error.usage_of());
  std::string text = fmt::format("{}{}: error: {}", usage, name, error.what());
  if (!error.suggestion().empty()) text += ". " + error.suggestion();
  return text + "\n";
}

}  // namespace barman::command_line
