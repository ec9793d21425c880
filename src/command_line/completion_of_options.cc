#include "command_line/completion.h"

#include <utility>

#include <fmt/format.h>

#include "base/text.h"

// Completion of programs without commands.
namespace barman::command_line {
namespace {

bool takes_value(const OptionSpec& option) { return !takes_no_value(option.kind); }

std::string choice_words(const OptionSpec& option) {
  return fmt::format("{}", fmt::join(option.choices, " "));
}

std::string bash_words(std::string_view words) {
  if (words == "hosts") return R"(mapfile -t COMPREPLY < <(compgen -A hostname -- "$current"))";
  if (words == "files") {
    return R"(mapfile -t COMPREPLY < <(compgen -f -- "$current"); compopt -o filenames)";
  }
  if (words == "directories") {
    return R"(mapfile -t COMPREPLY < <(compgen -d -- "$current"); compopt -o filenames)";
  }
  return ":";
}
std::string bash_words(const OptionSpec& option) {
  if (option.choices.empty()) return bash_words(option.words);
  return fmt::format(R"(mapfile -t COMPREPLY < <(compgen -W '{}' -- "$current"))",
                     choice_words(option));
}

std::string zsh_action(std::string_view words) {
  if (words == "hosts") return "_hosts";
  if (words == "files") return "_files";
  if (words == "directories") return "_files -/";
  return " ";
}
std::string zsh_action(const OptionSpec& option) {
  return option.choices.empty() ? zsh_action(option.words)
                                : fmt::format("({})", choice_words(option));
}

std::string fish_words(std::string_view words) {
  if (words == "hosts") return " -a '(__fish_print_hostnames)'";
  if (words == "files") return " -a '(__fish_complete_path (commandline -ct))'";
  if (words == "directories") return " -a '(__fish_complete_directories (commandline -ct))'";
  return "";
}
std::string fish_words(const OptionSpec& option) {
  return option.choices.empty() ? fish_words(option.words)
                                : fmt::format(" -a '{}'", choice_words(option));
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

std::vector<std::string> value_spellings(const ProgramSpec& program) {
  std::vector<std::string> names;
  for (const OptionSpec& option : program.arguments.offered_options()) {
    if (!takes_value(option)) continue;
    for (std::string& name : spellings(option)) names.push_back(std::move(name));
  }
  return names;
}

std::string options_in_bash(const ProgramSpec& program) {
  std::vector<std::string> names;
  std::string values;
  for (const OptionSpec& option : program.arguments.offered_options()) {
    const std::vector<std::string> own = spellings(option);
    names.insert(names.end(), own.begin(), own.end());
    if (!takes_value(option)) continue;
    values += fmt::format("    {}) {}; return ;;\n", join(own, "|"), bash_words(option));
  }
  std::string text =
      fmt::format("# bash completion for {}; made from its table of options.\n\n_{}() {{\n{}",
                  program.name, shell_identifier(program), kBashWords);
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
  for (std::size_t i = 0; i < program.arguments.positionals.size(); ++i) {
    text += fmt::format("    {}) {} ;;\n", i, bash_words(program.arguments.positionals[i].words));
  }
  return text +
         fmt::format("  esac\n}}\ncomplete -F _{} {}\n", shell_identifier(program), program.name);
}

std::string options_in_zsh(const ProgramSpec& program) {
  std::string text = fmt::format(
      "#compdef {0}\n# zsh completion for {0}; made from its table of options.\n\n_arguments \\\n",
      program.name);
  for (const OptionSpec& option : program.arguments.offered_options()) {
    for (const std::string& name : spellings(option)) {
      const bool has_equals = takes_value(option) && name.starts_with("--");
      text += fmt::format("  '{}{}[{}]", name, has_equals ? "=" : "", zsh_text(option.help));
      if (takes_value(option)) {
        text += fmt::format(":{}:{}", option.metavar, zsh_action(option));
      }
      text += "' \\\n";
    }
  }
  for (std::size_t i = 0; i < program.arguments.positionals.size(); ++i) {
    const PositionalSpec& positional = program.arguments.positionals[i];
    text += fmt::format("  ':{}:{}'{}\n", positional.metavar, zsh_action(positional.words),
                        i + 1 == program.arguments.positionals.size() ? "" : " \\");
  }
  return text;
}

std::string options_in_fish(const ProgramSpec& program) {
  const std::string function = "__" + shell_identifier(program) + "_at";
  std::string text = fmt::format(
      "# fish completion for {}; made from its table of options.\n\n"
      "# Whether that many arguments stand before the cursor: COUNT OPTIONS_WITH_VALUE...\n"
      "function {}\n{}\ncomplete -c {} -f\n",
      program.name, function, kFishArguments, program.name);
  for (const OptionSpec& option : program.arguments.offered_options()) {
    text += fmt::format("complete -c {}", program.name);
    for (const std::string_view name : option.names) text += fmt::format(" -l {}", name);
    for (const char name : option.short_names) text += fmt::format(" -s {}", name);
    if (takes_value(option)) text += fmt::format(" -x{}", fish_words(option));
    text += fmt::format(" -d {}\n", fish_text(option.help));
  }
  for (std::size_t i = 0; i < program.arguments.positionals.size(); ++i) {
    const std::string words = fish_words(program.arguments.positionals[i].words);
    if (words.empty()) continue;
    text += fmt::format("complete -c {} -n '{} {} {}'{}\n", program.name, function, i,
                        join(value_spellings(program), " "), words);
  }
  return text;
}

}  // namespace

std::string completion_of_options(const ProgramSpec& program, Shell shell) {
  switch (shell) {
    case Shell::bash:
      return options_in_bash(program);
    case Shell::zsh:
      return options_in_zsh(program);
    case Shell::fish:
      break;
  }
  return options_in_fish(program);
}

}  // namespace barman::command_line
