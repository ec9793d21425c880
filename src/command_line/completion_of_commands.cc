#include "command_line/completion.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

// Completion of programs with commands.
namespace barman::command_line {
namespace {

// Of the program when `command` is nullptr; the one for help comes last.
std::vector<OptionSpec> completed_options(const ProgramSpec& program,
                                          const CommandSyntax* command) {
  std::vector<OptionSpec> options = program.arguments_of(command).offered_options();
  const auto help = std::ranges::find(options, ValueKind::help, &OptionSpec::kind);
  std::rotate(help, help + 1, options.end());
  return options;
}

std::vector<const CommandSyntax*> shown_commands(const ProgramSpec& program) {
  std::vector<const CommandSyntax*> commands;
  for (const CommandSyntax& command : program.commands) {
    if (command.is_available) commands.push_back(&command);
  }
  return commands;
}

// A text with PROGRAM for the identifier of the program.
std::string for_program(const ProgramSpec& program, std::string_view text) {
  return replace_all(std::string(text), "PROGRAM", shell_identifier(program));
}

// Whether the next word is the option's value. The value of an optional choice needs '='.
bool takes_word(const OptionSpec& option) {
  return !takes_no_value(option.kind) && option.kind != ValueKind::optional_choice;
}

std::string joined(const std::vector<std::string_view>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

// What a value or a positional is, for the scripts: a list of words, or one of their functions.
std::string kind_of_value(const OptionSpec& option) {
  if (!option.choices.empty()) return "words";
  return option.words.empty() ? "nothing" : std::string(option.words);
}
std::string kind_of_positional(const PositionalSpec& spec) {
  return spec.words.empty() ? "nothing" : std::string(spec.words);
}

std::string command_pattern(const CommandSyntax& command) {
  std::string pattern(command.name);
  for (const std::string_view alias : command.aliases) pattern.append("|").append(alias);
  return pattern;
}

// ---- bash -------------------------------------------------------------------------------------

constexpr std::string_view kBashEnd = R"sh(
_PROGRAM() {
  COMPREPLY=()
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command='' words=() word=1 kinds kind
  # "--format=json" is three words for bash.
  if [[ $current == = ]]; then current=''; fi
  if [[ $previous == = ]]; then previous=${COMP_WORDS[COMP_CWORD - 2]}; fi
  while ((word < COMP_CWORD)); do
    case ${COMP_WORDS[word]} in
      =) ;;
      -*) [[ $(_PROGRAM_value "$command" "${COMP_WORDS[word]}") == '' || ${COMP_WORDS[word + 1]} == = ]] || ((++word)) ;;
      *)
        if [[ ${COMP_WORDS[word - 1]} == = ]]; then :
        elif [[ -z $command ]]; then command=${COMP_WORDS[word]}
        else words+=("${COMP_WORDS[word]}")
        fi ;;
    esac
    ((++word))
  done
  kind=$(_PROGRAM_value "$command" "$previous")
  if [[ $kind == words:* ]]; then _PROGRAM_offer "${kind#words:}" "$current"; return; fi
  if [[ -n $kind ]]; then _PROGRAM_positional "$kind" "$current" ''; return; fi
  if [[ $current == -* ]]; then _PROGRAM_offer "$(_PROGRAM_options "$command")" "$current"; return; fi
  if [[ -z $command ]]; then _PROGRAM_offer "$_PROGRAM_commands" "$current"; return; fi
  read -ra kinds <<<"$(_PROGRAM_kinds "$command")"
  kind=${kinds[${#words[@]}]:-}
  # An array without elements has no last one.
  if [[ -z $kind && ${#kinds[@]} -gt 0 && ${kinds[-1]} == server_list ]]; then kind=server_list; fi
  _PROGRAM_positional "$kind" "$current" "${words[0]:-}"
}
)sh";

std::string bash_options(const ProgramSpec& program, const CommandSyntax* command) {
  std::vector<std::string> names;
  for (const OptionSpec& option : completed_options(program, command)) {
    for (std::string& name : spellings(option)) names.push_back(std::move(name));
  }
  return join(names, " ");
}

// Lines "command,option) echo kind ;;" for options with values.
std::string bash_values(const ProgramSpec& program, const CommandSyntax* command,
                        const std::string& pattern) {
  std::string text;
  for (const OptionSpec& option : completed_options(program, command)) {
    const std::string kind = kind_of_value(option);
    if (takes_no_value(option.kind)) continue;
    std::vector<std::string> patterns;
    for (const std::string& name : spellings(option)) {
      for (const std::string& one : split(pattern, '|')) patterns.push_back(one + "," + name);
    }
    text += fmt::format("    {}) echo '{}{}' ;;\n", join(patterns, "|"), kind,
                        kind == "words" ? ":" + joined(option.choices) : "");
  }
  return text;
}

std::string commands_in_bash(const ProgramSpec& program) {
  std::vector<std::string> names;
  const std::string id = shell_identifier(program);
  std::string options = fmt::format("_{}_options() {{\n  case $1 in\n", id);
  std::string values =
      fmt::format("_{}_value() {{\n  case $1,$2 in\n", id) + bash_values(program, nullptr, "");
  std::string kinds = fmt::format("_{}_kinds() {{\n  case $1 in\n", id);
  options += fmt::format("    '') echo '{}' ;;\n", bash_options(program, nullptr));
  for (const CommandSyntax* command : shown_commands(program)) {
    const std::string pattern = command_pattern(*command);
    names.emplace_back(command->name);
    options += fmt::format("    {}) echo '{}' ;;\n", pattern, bash_options(program, command));
    values += bash_values(program, command, pattern);
    std::vector<std::string> positionals;
    for (const PositionalSpec& spec : command->arguments.positionals) {
      positionals.push_back(kind_of_positional(spec));
    }
    if (!positionals.empty()) {
      kinds += fmt::format("    {}) echo '{}' ;;\n", pattern, join(positionals, " "));
    }
  }
  const std::string end = "  esac\n}\n";
  return fmt::format("{}\n_{}_commands='{}'\n\n{}{}\n{}{}\n{}{}{}complete -F _{} {}\n",
                     program.completion.bash, id, join(names, " "), options, end, values, end,
                     kinds, end, for_program(program, kBashEnd), id, program.name);
}

// ---- zsh --------------------------------------------------------------------------------------

std::string zsh_function(const ProgramSpec& program, const std::string& kind) {
  return kind == "files" ? "_files" : fmt::format("_{}_{}", shell_identifier(program), kind);
}

std::string zsh_option(const ProgramSpec& program, const OptionSpec& option) {
  std::string text;
  const bool repeats = option.repetition == Repetition::accumulate;
  for (const std::string& name : spellings(option)) {
    text += fmt::format("      '{}{}", repeats ? "*" : "", name);
    const bool is_long = name.starts_with("--");
    if (option.kind == ValueKind::optional_choice) {
      text += is_long ? "=-" : "-";
    } else if (takes_word(option) && is_long) {
      text += "=";
    }
    text += fmt::format("[{}]", zsh_text(option.help));
    if (!takes_no_value(option.kind)) {
      const std::string kind = kind_of_value(option);
      text += option.kind == ValueKind::optional_choice ? "::value:" : ":value:";
      text += kind == "words" ? "(" + joined(option.choices) + ")" : zsh_function(program, kind);
    }
    text += "' \\\n";
  }
  return text;
}

std::string zsh_positional(const ProgramSpec& program, const PositionalSpec& spec) {
  const std::string_view prefix = spec.arity == Arity::one_or_more ? "*:"
                                  : spec.arity == Arity::optional  ? "::"
                                                                   : ":";
  return fmt::format("      '{}{}:{}' \\\n", prefix, zsh_text(spec.metavar),
                     zsh_function(program, kind_of_positional(spec)));
}

constexpr std::string_view kZshArguments =
    R"sh(      '1:command:_PROGRAM_commands' '*::argument:->arguments' && return
  [[ $state == arguments ]] || return
  local -a PROGRAM_config
  local file=${opt_args[-c]:-${opt_args[--config]}}
  [[ -z $file ]] || PROGRAM_config=(-c $file)
)sh";

std::string commands_in_zsh(const ProgramSpec& program) {
  std::string text(program.completion.zsh);
  std::string cases;
  const std::string id = shell_identifier(program);
  text += fmt::format("\n_{}_commands() {{\n  local -a commands=(\n", id);
  for (const CommandSyntax* command : shown_commands(program)) {
    text += fmt::format("    '{}:{}'\n", command->name, zsh_text(command->summary));
    cases += fmt::format("    {})\n      _arguments \\\n", command_pattern(*command));
    for (const OptionSpec& option : completed_options(program, command))
      cases += zsh_option(program, option);
    for (const PositionalSpec& spec : command->arguments.positionals)
      cases += zsh_positional(program, spec);
    cases += "      && return ;;\n";
  }
  text += fmt::format("  )\n  _describe -t commands command commands\n}}\n\n_{}() {{\n", id);
  text += "  local context state state_descr line\n  typeset -A opt_args\n  _arguments -C \\\n";
  for (const OptionSpec& option : completed_options(program, nullptr))
    text += zsh_option(program, option);
  text += for_program(program, kZshArguments);
  return text + fmt::format("  case $words[1] in\n{}  esac\n}}\n\n_{} \"$@\"\n", cases, id);
}

// ---- fish -------------------------------------------------------------------------------------

std::string fish_option(const ProgramSpec& program, const OptionSpec& option,
                        const std::string& condition) {
  std::string line = fmt::format("complete -c {} -n {}", program.name, fish_text(condition));
  for (const std::string_view name : option.names) line += fmt::format(" -l {}", name);
  for (const char name : option.short_names) line += fmt::format(" -s {}", name);
  if (!takes_no_value(option.kind)) {
    const std::string kind = kind_of_value(option);
    if (takes_word(option)) line += " -x";
    line += kind == "words" ? fmt::format(" -a '{}'", joined(option.choices))
                            : fmt::format(" -a '(__{}_{})'", shell_identifier(program), kind);
  }
  return line + fmt::format(" -d {}\n", fish_text(option.help));
}

std::string fish_command(const ProgramSpec& program, const CommandSyntax& command) {
  const std::string pattern = replace_all(command_pattern(command), "|", " ");
  const std::string condition = "__fish_seen_subcommand_from " + pattern;
  const std::string id = shell_identifier(program);
  std::string text = fmt::format(
      "complete -c {} -n 'not __fish_seen_subcommand_from $__{}_commands' -a {} -d {}\n",
      program.name, id, command.name, fish_text(command.summary));
  for (const OptionSpec& option : completed_options(program, &command)) {
    text += fish_option(program, option, condition);
  }
  for (std::size_t i = 0; i < command.arguments.positionals.size(); ++i) {
    const PositionalSpec& spec = command.arguments.positionals[i];
    const std::string_view from = spec.arity == Arity::one_or_more ? "_from" : "";
    text += fmt::format("complete -c {} -n '{}; and __{}_argument_count{} {}' -k -a '(__{}_{})'\n",
                        program.name, condition, id, from, i, id, kind_of_positional(spec));
  }
  return text;
}

std::string commands_in_fish(const ProgramSpec& program) {
  std::vector<std::string> names;
  for (const CommandSyntax* command : shown_commands(program)) {
    for (std::string& name : split(command_pattern(*command), '|'))
      names.push_back(std::move(name));
  }
  const std::string id = shell_identifier(program);
  std::string text(program.completion.fish);
  text += fmt::format("set -g __{}_commands {}\n", id, join(names, " "));
  for (const OptionSpec& option : completed_options(program, nullptr)) {
    text += fish_option(program, option,
                        fmt::format("not __fish_seen_subcommand_from $__{}_commands", id));
  }
  for (const CommandSyntax* command : shown_commands(program))
    text += fish_command(program, *command);
  return text;
}

}  // namespace

std::string completion_of_commands(const ProgramSpec& program, Shell shell) {
  switch (shell) {
    case Shell::bash:
      return commands_in_bash(program);
    case Shell::zsh:
      return commands_in_zsh(program);
    case Shell::fish:
      break;
  }
  return commands_in_fish(program);
}

}  // namespace barman::command_line
