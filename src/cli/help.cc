#include "cli/help.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/roff.h"
#include "cli/shown_commands.h"
#include "version.h"

namespace barman::cli {
namespace {

constexpr std::size_t kWidth = 80;
constexpr std::size_t kHelpColumn = 30;
constexpr std::string_view kOwner = "Barman by EnterpriseDB (www.enterprisedb.com)";

std::vector<OptionSpec> options_of(const CommandSpec* command) {
  std::vector<OptionSpec> options = {help_option()};
  const auto& own = command != nullptr ? command->options : global_options();
  options.insert(options.end(), own.begin(), own.end());
  return options;
}

std::string value_name(const OptionSpec& option) {
  if (!option.choices.empty()) {
    return fmt::format("{{{}}}", fmt::join(option.choices, ","));
  }
  return std::string(option.metavar);
}

// "--jobs NJOBS", "--reuse-backup [{copy,link,off}]", "--wait".
std::string with_value(const std::string& name, const OptionSpec& option) {
  if (option.kind == ValueKind::flag) return name;
  if (option.kind == ValueKind::optional_choice) {
    return fmt::format("{} [{}]", name, value_name(option));
  }
  return fmt::format("{} {}", name, value_name(option));
}

std::string all_names(const OptionSpec& option) {
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

std::string option_help(const OptionSpec& option) {
  std::string help(option.help);
  if (option.default_text) help += fmt::format(" (default: {})", *option.default_text);
  return help;
}

std::string man_options(const CommandSpec* command) {
  std::string text = ".SH OPTIONS\n";
  for (const OptionSpec& option : options_of(command)) {
    text += man_entry(all_names(option), option_help(option));
  }
  return text;
}

}  // namespace

std::string version_text() { return fmt::format("{} {}", kVersion, kOwner); }

std::string usage_text(const CommandSpec* command) {
  const std::string begin = command != nullptr ? fmt::format("usage: barman {} ", command->name)
                                               : std::string("usage: barman ");
  std::vector<std::string> words;
  for (const OptionSpec& option : options_of(command)) {
    const std::string name = option.short_names.empty() ? "--" + std::string(option.names.front())
                                                        : std::string{'-', option.short_names[0]};
    words.push_back(fmt::format("[{}]", with_value(name, option)));
  }
  if (command == nullptr) words.emplace_back("command ...");
  if (command != nullptr) {
    for (const PositionalSpec& spec : command->positionals) words.push_back(positional_usage(spec));
  }
  return begin + wrap(words, begin.size(), begin.size()) + "\n";
}

std::string help_text(const CommandSpec* command) {
  std::string text = usage_text(command);
  if (command == nullptr) {
    text += "\nBackup and recovery manager for PostgreSQL\n";
  } else {
    std::string summary(command->summary);
    summary.front() = to_upper(summary.substr(0, 1)).front();
    text += fmt::format("\n{}.\n", wrap(split_blanks(summary), 0, 0));
    if (!command->description.empty()) {
      text += fmt::format("\n{}\n", wrap(split_blanks(command->description), 0, 0));
    }
    if (!command->positionals.empty()) text += "\narguments:\n";
    for (const PositionalSpec& spec : command->positionals) {
      text += help_row(std::string(spec.metavar), spec.help);
    }
  }
  text += "\noptions:\n";
  for (const OptionSpec& option : options_of(command)) {
    text += help_row(all_names(option), option_help(option));
  }
  if (command == nullptr) {
    text += "\ncommands:\n";
    for (const CommandSpec* shown : shown_commands()) {
      std::string name(shown->name);
      for (const std::string_view alias : shown->aliases) name += fmt::format(" ({})", alias);
      text += help_row(name, shown->summary);
    }
  }
  return text + fmt::format("\n{}\n", kOwner);
}

std::string program_man_page() {
  std::string text = man_header("barman", 1);
  text += ".SH NAME\nbarman \\- backup and recovery manager for PostgreSQL\n";
  text += fmt::format(".SH SYNOPSIS\n.B barman\n{}\n", roff("[OPTIONS] COMMAND [ARGUMENTS]"));
  text += man_options(nullptr);
  text += ".SH COMMANDS\n";
  for (const CommandSpec* command : shown_commands()) {
    text += man_entry(std::string(command->name),
                      fmt::format("{}; see barman-{}(1)", command->summary, command->name));
  }
  text += ".SH EXIT STATUS\n";
  text += man_entry("0", "Success; warnings do not count.");
  text += man_entry("1", "At least one error was reported, or a check failed.");
  text += man_entry("2", "The command line cannot be used, or check --nagios is critical.");
  text += man_entry("3", "get-wal: invalid WAL name, or the output cannot be opened.");
  text += ".SH FILES\n";
  text += man_entry("~/.barman.conf, /etc/barman.conf, /etc/barman/barman.conf",
                    "The configuration; the first that can be read is used.");
  return text + ".SH SEE ALSO\n.BR barman (5)\n";
}

std::string command_man_page(const CommandSpec& command) {
  const std::string name = fmt::format("barman-{}", command.name);
  std::string text = man_header(name, 1);
  text += fmt::format(".SH NAME\n{} \\- {}\n", roff(name), roff(command.summary));
  std::vector<std::string> words = {"[OPTIONS]"};
  for (const PositionalSpec& spec : command.positionals) words.push_back(positional_usage(spec));
  text +=
      fmt::format(".SH SYNOPSIS\n.B barman {}\n{}\n", roff(command.name), roff(join(words, " ")));
  for (const std::string_view alias : command.aliases) {
    text += fmt::format(".PP\n{}\n", roff(fmt::format("Also: barman {}", alias)));
  }
  if (!command.description.empty()) {
    text += fmt::format(".SH DESCRIPTION\n{}\n", roff(command.description));
  }
  if (!command.positionals.empty()) text += ".SH ARGUMENTS\n";
  for (const PositionalSpec& spec : command.positionals) {
    text += man_entry(std::string(spec.metavar), spec.help);
  }
  text += man_options(&command);
  return text + ".SH SEE ALSO\n.BR barman (1),\n.BR barman (5)\n";
}

}  // namespace barman::cli
