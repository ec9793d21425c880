#include "cli/completion_scripts.h"

namespace barman::cli {
namespace {

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
    commands) _barman_offer "$_barman_commands" "$2" ;;
    tasks) _barman_offer "receive-wal archive-wal backup cron" "$2" ;;
    directories) mapfile -t COMPREPLY < <(compgen -d -- "$2"); compopt -o filenames ;;
    files) mapfile -t COMPREPLY < <(compgen -f -- "$2"); compopt -o filenames ;;
  esac
}
)sh";

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
function __barman_commands
    printf '%s\n' $__barman_commands
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

}  // namespace

command_line::CompletionScripts completion_scripts() {
  return {.bash = kBashBegin, .zsh = kZshBegin, .fish = kFishBegin};
}

}  // namespace barman::cli
