#include "cli/client_manual.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/completion_text.h"
#include "cli/roff.h"
#include "client/wal_archive_program.h"
#include "client/wal_restore_program.h"

namespace barman::cli {
namespace {

using client::ClientOption;
using client::ClientPositional;
using client::ClientProgram;
using client::ClientValue;

bool takes_value(const ClientOption& option) { return !option.metavar.empty(); }

// "--user", "-U"
std::vector<std::string> client_spellings(const ClientOption& option) {
  std::vector<std::string> result = {"--" + std::string(option.name)};
  if (option.short_name != 0) result.push_back({'-', option.short_name});
  return result;
}

std::string man_names(const ClientOption& option) {
  std::vector<std::string> names;
  for (const std::string& name : client_spellings(option)) {
    names.push_back(takes_value(option) ? fmt::format("{} {}", name, option.metavar) : name);
  }
  std::reverse(names.begin(), names.end());
  return join(names, ", ");
}

// "barman_wal_archive", for names of shell functions.
std::string identifier(const ClientProgram& program) {
  return replace_all(std::string(program.name), "-", "_");
}

std::string bash_words(ClientValue value) {
  switch (value) {
    case ClientValue::host:
      return R"(mapfile -t COMPREPLY < <(compgen -A hostname -- "$current"))";
    case ClientValue::file:
      return R"(mapfile -t COMPREPLY < <(compgen -f -- "$current"); compopt -o filenames)";
    case ClientValue::directory:
      return R"(mapfile -t COMPREPLY < <(compgen -d -- "$current"); compopt -o filenames)";
    case ClientValue::text:
      break;
  }
  return ":";
}

std::string_view zsh_action(ClientValue value) {
  switch (value) {
    case ClientValue::host:
      return "_hosts";
    case ClientValue::file:
      return "_files";
    case ClientValue::directory:
      return "_files -/";
    case ClientValue::text:
      break;
  }
  return " ";
}

std::string_view fish_words(ClientValue value) {
  switch (value) {
    case ClientValue::host:
      return " -a '(__fish_print_hostnames)'";
    case ClientValue::file:
      return " -a '(__fish_complete_path (commandline -ct))'";
    case ClientValue::directory:
      return " -a '(__fish_complete_directories (commandline -ct))'";
    case ClientValue::text:
      break;
  }
  return "";
}

constexpr std::string_view kBashWords =
    R"sh(  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local word=1 position=0
  COMPREPLY=()
  # "--user=name" is three words for bash.
  if [[ $current == = ]]; then current=''; fi
  if [[ $previous == = ]]; then previous=${COMP_WORDS[COMP_CWORD - 2]}; fi
)sh";

constexpr std::string_view kFishArguments = R"sh(    set -l seen 0
    set -l value 0
    for word in (commandline -opc)[2..]
        if test $value = 1
            set value 0
        else if contains -- $word $argv[2..]
            set value 1
        else if not string match -q -- '-*' $word
            set seen (math $seen + 1)
        end
    end
    test $seen -eq $argv[1]
end
)sh";

std::vector<std::string> value_spellings(const ClientProgram& program) {
  std::vector<std::string> names;
  for (const ClientOption& option : program.all_options()) {
    if (!takes_value(option)) continue;
    for (std::string& name : client_spellings(option)) names.push_back(std::move(name));
  }
  return names;
}

}  // namespace

std::vector<const ClientProgram*> client_programs() {
  return {&client::wal_archive_program(), &client::wal_restore_program()};
}

const ClientProgram* find_client_program(std::string_view name) {
  for (const ClientProgram* program : client_programs()) {
    if (program->name == name) return program;
  }
  return nullptr;
}

std::string client_man_page(const ClientProgram& program) {
  std::string text = man_header(program.name, 1);
  text += fmt::format(".SH NAME\n{} \\- {}\n", roff(program.name), roff(program.summary));
  std::vector<std::string> words = {"[OPTIONS]"};
  for (const ClientPositional& positional : program.positionals) {
    words.emplace_back(positional.metavar);
  }
  text += fmt::format(".SH SYNOPSIS\n.B {}\n{}\n", roff(program.name), roff(join(words, " ")));
  text += fmt::format(".SH DESCRIPTION\n{}\n.SH ARGUMENTS\n", roff(program.description));
  for (const ClientPositional& positional : program.positionals) {
    text += man_entry(positional.metavar, positional.help);
  }
  text += ".SH OPTIONS\n";
  for (const ClientOption& option : program.all_options()) {
    text += man_entry(man_names(option), option.help);
  }
  text += ".SH EXIT STATUS\n";
  for (const client::ClientExit& exit : program.exits) text += man_entry(exit.code, exit.meaning);
  text +=
      fmt::format(".SH EXAMPLES\nIn postgresql.conf:\n.PP\n.RS\n{}\n.RE\n", roff(program.example));
  return text +
         ".SH SEE ALSO\n.BR barman (1),\n.BR barman\\-put\\-wal (1),\n"
         ".BR barman\\-get\\-wal (1)\n";
}

std::string client_bash_completion(const ClientProgram& program) {
  std::vector<std::string> names;
  std::string values;
  for (const ClientOption& option : program.all_options()) {
    const std::vector<std::string> own = client_spellings(option);
    names.insert(names.end(), own.begin(), own.end());
    if (!takes_value(option)) continue;
    values += fmt::format("    {}) {}; return ;;\n", join(own, "|"), bash_words(option.value));
  }
  std::string text =
      fmt::format("# bash completion for {}; made from its table of options.\n\n_{}() {{\n{}",
                  program.name, identifier(program), kBashWords);
  text += "  case $previous in\n" + values + "  esac\n";
  text += fmt::format(
      "  if [[ $current == -* ]]; then\n"
      "    mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$current\")\n    return\n  fi\n",
      join(names, " "));
  text += fmt::format(
      "  while ((word < COMP_CWORD)); do\n    case ${{COMP_WORDS[word]}} in\n"
      "      {}) ((++word)); [[ ${{COMP_WORDS[word]}} != = ]] || ((++word)) ;;\n"
      "      -*) ;;\n      *) ((++position)) ;;\n    esac\n    ((++word))\n  done\n",
      join(value_spellings(program), "|"));
  text += "  case $position in\n";
  for (std::size_t i = 0; i < program.positionals.size(); ++i) {
    text += fmt::format("    {}) {} ;;\n", i, bash_words(program.positionals[i].value));
  }
  return text + fmt::format("  esac\n}}\ncomplete -F _{} {}\n", identifier(program), program.name);
}

std::string client_zsh_completion(const ClientProgram& program) {
  std::string text = fmt::format(
      "#compdef {0}\n# zsh completion for {0}; made from its table of options.\n\n_arguments \\\n",
      program.name);
  for (const ClientOption& option : program.all_options()) {
    for (const std::string& name : client_spellings(option)) {
      const bool has_equals = takes_value(option) && name.starts_with("--");
      text += fmt::format("  '{}{}[{}]", name, has_equals ? "=" : "", zsh_text(option.help));
      if (takes_value(option)) {
        text += fmt::format(":{}:{}", option.metavar, zsh_action(option.value));
      }
      text += "' \\\n";
    }
  }
  for (std::size_t i = 0; i < program.positionals.size(); ++i) {
    const ClientPositional& positional = program.positionals[i];
    text += fmt::format("  ':{}:{}'{}\n", positional.metavar, zsh_action(positional.value),
                        i + 1 == program.positionals.size() ? "" : " \\");
  }
  return text;
}

std::string client_fish_completion(const ClientProgram& program) {
  const std::string function = "__" + identifier(program) + "_at";
  std::string text = fmt::format(
      "# fish completion for {}; made from its table of options.\n\n"
      "# Whether that many arguments stand before the cursor: COUNT OPTIONS_WITH_VALUE...\n"
      "function {}\n{}\ncomplete -c {} -f\n",
      program.name, function, kFishArguments, program.name);
  for (const ClientOption& option : program.all_options()) {
    text += fmt::format("complete -c {} -l {}", program.name, option.name);
    if (option.short_name != 0) text += fmt::format(" -s {}", option.short_name);
    if (takes_value(option)) text += fmt::format(" -x{}", fish_words(option.value));
    text += fmt::format(" -d {}\n", fish_text(option.help));
  }
  for (std::size_t i = 0; i < program.positionals.size(); ++i) {
    const std::string_view words = fish_words(program.positionals[i].value);
    if (words.empty()) continue;
    text += fmt::format("complete -c {} -n '{} {} {}'{}\n", program.name, function, i,
                        join(value_spellings(program), " "), words);
  }
  return text;
}

}  // namespace barman::cli
