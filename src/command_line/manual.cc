#include "command_line/manual.h"

#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "command_line/help.h"
#include "command_line/roff.h"

namespace barman::command_line {
namespace {

std::string synopsis(const std::string& name, const std::vector<std::string>& words) {
  return fmt::format(".SH SYNOPSIS\n.B {}\n{}\n", roff(name), roff(join(words, " ")));
}

std::vector<std::string> synopsis_words(const ArgumentSpec& spec) {
  std::vector<std::string> words = {"[OPTIONS]"};
  for (const PositionalSpec& positional : spec.positionals) {
    words.push_back(positional_usage(positional));
  }
  return words;
}

std::string description_section(std::string_view description) {
  if (description.empty()) return "";
  std::vector<std::string> paragraphs;
  for (const std::string& line : split(description, '\n')) paragraphs.push_back(roff(line));
  return fmt::format(".SH DESCRIPTION\n{}\n", join(paragraphs, "\n.PP\n"));
}

std::string argument_section(const ArgumentSpec& spec) {
  std::string text = spec.positionals.empty() ? "" : ".SH ARGUMENTS\n";
  for (const PositionalSpec& positional : spec.positionals) {
    text += man_entry(positional.metavar, positional.help);
  }
  return text;
}

std::string option_section(const ArgumentSpec& spec) {
  std::string text = ".SH OPTIONS\n";
  for (const OptionSpec& option : spec.offered_options()) {
    text += man_entry(names_with_values(option), option_help(option));
  }
  return text;
}

std::string command_section(const ProgramSpec& program) {
  std::string text = program.commands.empty() ? "" : ".SH COMMANDS\n";
  for (const CommandSyntax& command : program.commands) {
    if (!command.is_available) continue;
    text += man_entry(command.name,
                      fmt::format("{}; see {}-{}(1)", command.summary, program.name, command.name));
  }
  return text;
}

std::string entry_section(std::string_view title, const std::vector<ManualEntry>& entries) {
  std::string text = entries.empty() ? "" : fmt::format(".SH {}\n", title);
  for (const ManualEntry& entry : entries) text += man_entry(entry.name, entry.meaning);
  return text;
}

std::string see_also_section(const std::vector<std::string>& pages) {
  std::vector<std::string> lines;
  for (const std::string& page : pages) lines.push_back(".BR " + roff(page));
  return ".SH SEE ALSO\n" + join(lines, ",\n") + "\n";
}

}  // namespace

std::string program_man_page(const ProgramSpec& program) {
  const std::string name(program.name);
  std::string text = man_header(name, 1);
  text += fmt::format(".SH NAME\n{} \\- {}\n", roff(name), roff(program.summary));
  text += synopsis(name, program.commands.empty()
                             ? synopsis_words(program.arguments)
                             : std::vector<std::string>{"[OPTIONS] COMMAND [ARGUMENTS]"});
  text += description_section(program.description);
  text += argument_section(program.arguments) + option_section(program.arguments);
  text += command_section(program);
  text += entry_section("EXIT STATUS", program.exits);
  text += entry_section("FILES", program.files);
  if (!program.example.empty()) {
    text += fmt::format(".SH EXAMPLES\nIn postgresql.conf:\n.PP\n.RS\n{}\n.RE\n",
                        roff(program.example));
  }
  return text + see_also_section({program.see_also.begin(), program.see_also.end()});
}

std::string command_man_page(const ProgramSpec& program, const CommandSyntax& command) {
  const std::string name = fmt::format("{}-{}", program.name, command.name);
  const ArgumentSpec spec = program.arguments_of(&command);
  std::string text = man_header(name, 1);
  text += fmt::format(".SH NAME\n{} \\- {}\n", roff(name), roff(command.summary));
  text += synopsis(fmt::format("{} {}", program.name, command.name), synopsis_words(spec));
  for (const std::string_view alias : command.aliases) {
    text += fmt::format(".PP\n{}\n", roff(fmt::format("Also: {} {}", program.name, alias)));
  }
  text += description_section(command.description);
  text += argument_section(spec) + option_section(spec);
  std::vector<std::string> pages = {fmt::format("{} (1)", program.name)};
  pages.insert(pages.end(), program.see_also.begin(), program.see_also.end());
  return text + see_also_section(pages);
}

}  // namespace barman::command_line
