#include "cli/completion.h"

#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/command_table.h"
#include "cli/commands.h"
#include "cli/completion_text.h"
#include "cli/shown_commands.h"

namespace barman::cli {
namespace {

std::vector<OptionSpec> completed_options(const CommandSpec* command) {
  std::vector<OptionSpec> options = command != nullptr ? command->options : cli::global_options();
  options.push_back(help_option());
  return options;
}

// "-w", "--wait"
std::vector<std::string> spellings(const OptionSpec& option) {
  std::vector<std::string> result;
  for (const std::string_view name : option.names) result.push_back("--" + std::string(name));
  for (const char name : option.short_names) result.push_back({'-', name});
  return result;
}

// Whether the next word is the option's value. The value of an optional choice needs '='.
bool takes_word(const OptionSpec& option) {
  return option.kind != ValueKind::flag && option.kind != ValueKind::optional_choice;
}

std::string joined(const std::vector<std::string_view>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

// What a value or a positional is, for the scripts: a list of words, or one of their functions.
std::string kind_of_value(const OptionSpec& option) {
  if (!option.choices.empty()) return "words";
  const std::string_view name = option.names.front();
  if (name == "config") return "files";
  if (option.kind == ValueKind::absolute_path || name.find("directory") != std::string_view::npos ||
      name.find("dir") != std::string_view::npos) {
    return "directories";
  }
  return "nothing";
}

std::string kind_of_positional(const PositionalSpec& spec) {
  if (spec.key == "server_name")
    return spec.arity == Arity::one_or_more ? "server_list" : "servers";
  if (spec.key == "backup_id") return "backups";
  if (spec.key.ends_with("directory")) return "directories";
  if (spec.key == "wal_path" || spec.key == "wal_dest" || spec.key == "tarball") return "files";
  if (spec.key == "task_name") return "tasks";
  return "nothing";
}

std::string command_pattern(const CommandSpec& command) {
  std::string pattern(command.name);
  for (const std::string_view alias : command.aliases) pattern.append("|").append(alias);
  return pattern;
}

// ---- bash -------------------------------------------------------------------------------------

constexpr std::string_view kBashBegin =
    R"sh(# bash completion for barman; made from its command table.

_barman_run() {
  local config=() word=1
  while ((word < COMP_CWORD)); do
    [[ ${COMP_WORDS[word]} != @(-c|--config) ]] || config=(-c "${COMP_WORDS[word + 1]}")
    ((++word))
  done
  barman "${config[@]}" "$@" 2>/dev/null </dev/null
}

_barman_offer() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2"); }

_barman_positional() {   # KIND WORD SERVER
  case $1 in
    servers) _barman_offer "$(_barman_run list-servers --minimal)" "$2" ;;
    server_list) _barman_offer "all $(_barman_run list-servers --minimal)" "$2" ;;
    backups)
      _barman_offer "latest last latest-full last-full oldest first last-failed auto
        $(_barman_run list-backups --minimal "$3")" "$2" ;;
    tasks) _barman_offer "receive-wal archive-wal backup cron" "$2" ;;
    directories) mapfile -t COMPREPLY < <(compgen -d -- "$2"); compopt -o filenames ;;
    files) mapfile -t COMPREPLY < <(compgen -f -- "$2"); compopt -o filenames ;;
  esac
}
)sh";

constexpr std::string_view kBashEnd = R"sh(
_barman() {
  COMPREPLY=()
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command='' words=() word=1 kinds kind
  # "--format=json" is three words for bash.
  if [[ $current == = ]]; then current=''; fi
  if [[ $previous == = ]]; then previous=${COMP_WORDS[COMP_CWORD - 2]}; fi
  while ((word < COMP_CWORD)); do
    case ${COMP_WORDS[word]} in
      =) ;;
      -*) [[ $(_barman_value "$command" "${COMP_WORDS[word]}") == '' || ${COMP_WORDS[word + 1]} == = ]] || ((++word)) ;;
      *)
        if [[ ${COMP_WORDS[word - 1]} == = ]]; then :
        elif [[ -z $command ]]; then command=${COMP_WORDS[word]}
        else words+=("${COMP_WORDS[word]}")
        fi ;;
    esac
    ((++word))
  done
  kind=$(_barman_value "$command" "$previous")
  if [[ $kind == words:* ]]; then _barman_offer "${kind#words:}" "$current"; return; fi
  if [[ -n $kind ]]; then _barman_positional "$kind" "$current" ''; return; fi
  if [[ $current == -* ]]; then _barman_offer "$(_barman_options "$command")" "$current"; return; fi
  if [[ -z $command ]]; then _barman_offer "$_barman_commands" "$current"; return; fi
  read -ra kinds <<<"$(_barman_kinds "$command")"
  kind=${kinds[${#words[@]}]:-}
  [[ -n $kind || ${kinds[-1]:-} != server_list ]] || kind=server_list
  _barman_positional "$kind" "$current" "${words[0]:-}"
}
complete -F _barman barman
)sh";

std::string bash_options(const CommandSpec* command) {
  std::vector<std::string> names;
  for (const OptionSpec& option : completed_options(command)) {
    for (std::string& name : spellings(option)) names.push_back(std::move(name));
  }
  return join(names, " ");
}

// Lines "command,option) echo kind ;;" for options with values.
std::string bash_values(const CommandSpec* command, const std::string& pattern) {
  std::string text;
  for (const OptionSpec& option : completed_options(command)) {
    const std::string kind = kind_of_value(option);
    if (option.kind == ValueKind::flag) continue;
    std::vector<std::string> patterns;
    for (const std::string& name : spellings(option)) {
      for (const std::string& one : split(pattern, '|')) patterns.push_back(one + "," + name);
    }
    text += fmt::format("    {}) echo '{}{}' ;;\n", join(patterns, "|"), kind,
                        kind == "words" ? ":" + joined(option.choices) : "");
  }
  return text;
}

}  // namespace

std::string bash_completion() {
  std::vector<std::string> names;
  std::string options = "_barman_options() {\n  case $1 in\n";
  std::string values = "_barman_value() {\n  case $1,$2 in\n" + bash_values(nullptr, "");
  std::string kinds = "_barman_kinds() {\n  case $1 in\n";
  options += fmt::format("    '') echo '{}' ;;\n", bash_options(nullptr));
  for (const CommandSpec* command : shown_commands()) {
    const std::string pattern = command_pattern(*command);
    names.emplace_back(command->name);
    options += fmt::format("    {}) echo '{}' ;;\n", pattern, bash_options(command));
    values += bash_values(command, pattern);
    std::vector<std::string> positionals;
    for (const PositionalSpec& spec : command->positionals) {
      positionals.push_back(kind_of_positional(spec));
    }
    if (!positionals.empty()) {
      kinds += fmt::format("    {}) echo '{}' ;;\n", pattern, join(positionals, " "));
    }
  }
  const std::string end = "  esac\n}\n";
  return fmt::format("{}\n_barman_commands='{}'\n\n{}{}\n{}{}\n{}{}{}", kBashBegin,
                     join(names, " "), options, end, values, end, kinds, end, kBashEnd);
}

// ---- zsh --------------------------------------------------------------------------------------

namespace {

constexpr std::string_view kZshBegin = R"sh(#compdef barman
# zsh completion for barman; made from its command table.

_barman_run() {
  local -a config
  local at=${words[(I)-c|--config]}
  ((at)) && config=(-c ${words[at + 1]})
  barman $config $barman_config "$@" 2>/dev/null </dev/null
}
_barman_servers() { local -a names=(${(f)"$(_barman_run list-servers --minimal)"}); compadd -a names }
_barman_server_list() { compadd all; _barman_servers }
_barman_backups() {
  local server word
  for word in ${words[2,CURRENT - 1]}; do [[ $word == -* ]] || { server=$word; break } done
  local -a ids=(latest last latest-full last-full oldest first last-failed auto
    ${(f)"$(_barman_run list-backups --minimal $server)"})
  compadd -V backups -a ids
}
_barman_tasks() { compadd receive-wal archive-wal backup cron }
_barman_directories() { _files -/ }
_barman_nothing() { _message value }
)sh";

std::string zsh_function(const std::string& kind) {
  return kind == "files" ? "_files" : "_barman_" + kind;
}

std::string zsh_option(const OptionSpec& option) {
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
    if (option.kind != ValueKind::flag) {
      const std::string kind = kind_of_value(option);
      text += option.kind == ValueKind::optional_choice ? "::value:" : ":value:";
      text += kind == "words" ? "(" + joined(option.choices) + ")" : zsh_function(kind);
    }
    text += "' \\\n";
  }
  return text;
}

std::string zsh_positional(const PositionalSpec& spec) {
  const std::string_view prefix = spec.arity == Arity::one_or_more ? "*:"
                                  : spec.arity == Arity::optional  ? "::"
                                                                   : ":";
  return fmt::format("      '{}{}:{}' \\\n", prefix, zsh_text(spec.metavar),
                     zsh_function(kind_of_positional(spec)));
}

}  // namespace

std::string zsh_completion() {
  std::string text(kZshBegin);
  std::string cases;
  text += "\n_barman_commands() {\n  local -a commands=(\n";
  for (const CommandSpec* command : shown_commands()) {
    text += fmt::format("    '{}:{}'\n", command->name, zsh_text(command->summary));
    cases += fmt::format("    {})\n      _arguments \\\n", command_pattern(*command));
    for (const OptionSpec& option : completed_options(command)) cases += zsh_option(option);
    for (const PositionalSpec& spec : command->positionals) cases += zsh_positional(spec);
    cases += "      && return ;;\n";
  }
  text += "  )\n  _describe -t commands command commands\n}\n\n_barman() {\n";
  text += "  local context state state_descr line\n  typeset -A opt_args\n  _arguments -C \\\n";
  for (const OptionSpec& option : completed_options(nullptr)) text += zsh_option(option);
  text += "      '1:command:_barman_commands' '*::argument:->arguments' && return\n";
  text += "  [[ $state == arguments ]] || return\n";
  text += "  local -a barman_config\n";
  text += "  local file=${opt_args[-c]:-${opt_args[--config]}}\n";
  text += "  [[ -z $file ]] || barman_config=(-c $file)\n";
  text += "  case $words[1] in\n" + cases + "  esac\n}\n\n_barman \"$@\"\n";
  return text;
}

// ---- fish -------------------------------------------------------------------------------------

namespace {

constexpr std::string_view kFishBegin =
    R"sh(# fish completion for barman; made from its command table.

function __barman_run
    set -l words (commandline -opc)
    set -l config
    for i in (seq (count $words))
        if contains -- $words[$i] -c --config
            set config -c $words[(math $i + 1)]
        end
    end
    barman $config $argv 2>/dev/null </dev/null
end
# The words after the command that are no options.
function __barman_arguments
    set -l seen 0
    for word in (commandline -opc)
        if test $seen = 1
            string match -q -- '-*' $word; or echo $word
        else if contains -- $word $__barman_commands
            set seen 1
        end
    end
end
function __barman_argument_count
    set -l arguments (__barman_arguments)
    test (count $arguments) -eq $argv[1]
end
function __barman_argument_count_from
    set -l arguments (__barman_arguments)
    test (count $arguments) -ge $argv[1]
end
function __barman_servers
    __barman_run list-servers --minimal
end
function __barman_server_list
    echo all
    __barman_servers
end
function __barman_backups
    set -l arguments (__barman_arguments)
    printf '%s\n' latest last latest-full last-full oldest first last-failed auto
    __barman_run list-backups --minimal $arguments[1]
end
function __barman_tasks
    printf '%s\n' receive-wal archive-wal backup cron
end
function __barman_directories
    __fish_complete_directories (commandline -ct)
end
function __barman_files
    __fish_complete_path (commandline -ct)
end
function __barman_nothing
end

complete -c barman -f
)sh";

std::string fish_option(const OptionSpec& option, const std::string& condition) {
  std::string line = fmt::format("complete -c barman -n {}", fish_text(condition));
  for (const std::string_view name : option.names) line += fmt::format(" -l {}", name);
  for (const char name : option.short_names) line += fmt::format(" -s {}", name);
  if (option.kind != ValueKind::flag) {
    const std::string kind = kind_of_value(option);
    if (takes_word(option)) line += " -x";
    line += kind == "words" ? fmt::format(" -a '{}'", joined(option.choices))
                            : fmt::format(" -a '(__barman_{})'", kind);
  }
  return line + fmt::format(" -d {}\n", fish_text(option.help));
}

std::string fish_command(const CommandSpec& command) {
  const std::string pattern = replace_all(command_pattern(command), "|", " ");
  const std::string condition = "__fish_seen_subcommand_from " + pattern;
  std::string text = fmt::format(
      "complete -c barman -n 'not __fish_seen_subcommand_from $__barman_commands' -a {} -d {}\n",
      command.name, fish_text(command.summary));
  for (const OptionSpec& option : completed_options(&command))
    text += fish_option(option, condition);
  for (std::size_t i = 0; i < command.positionals.size(); ++i) {
    const PositionalSpec& spec = command.positionals[i];
    const std::string_view count = spec.arity == Arity::one_or_more ? "__barman_argument_count_from"
                                                                    : "__barman_argument_count";
    text += fmt::format("complete -c barman -n '{}; and {} {}' -k -a '(__barman_{})'\n", condition,
                        count, i, kind_of_positional(spec));
  }
  return text;
}

}  // namespace

std::string fish_completion() {
  std::vector<std::string> names;
  for (const CommandSpec* command : shown_commands()) {
    for (std::string& name : split(command_pattern(*command), '|'))
      names.push_back(std::move(name));
  }
  std::string text(kFishBegin);
  text += fmt::format("set -g __barman_commands {}\n", join(names, " "));
  for (const OptionSpec& option : completed_options(nullptr)) {
    text += fish_option(option, "not __fish_seen_subcommand_from $__barman_commands");
  }
  for (const CommandSpec* command : shown_commands()) text += fish_command(*command);
  return text;
}

}  // namespace barman::cli
