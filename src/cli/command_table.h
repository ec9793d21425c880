// Every command of `barman` as data: names, options, positionals, how it treats servers that are
// not in service. Parsing, help texts and man pages are made from this table
// (cli/barman_program.h).
//
// What a command does is bound to its name in commands.h. One without a function there
// (is_available()) is known by name only: it is not shown, and is refused as unknown.
#pragma once

#include <string_view>
#include <vector>

#include "command_line/program_spec.h"

namespace barman::cli {

using command_line::Arity;
using command_line::OptionSpec;
using command_line::PositionalSpec;
using command_line::Repetition;
using command_line::ValueKind;

// How many servers a command works on; the positional with key "server_name" names them.
enum class ServerArity { none, single, multiple };

// What a command does with a server that is not in service.
enum class ServerAction {
  run,
  skip,    // "Skipping inactive server 'x'", exit code unchanged
  refuse,  // an error, exit code 1
};

struct ServerPolicy {
  ServerArity arity = ServerArity::none;
  ServerAction inactive = ServerAction::run;
  ServerAction disabled = ServerAction::run;
  ServerAction passive = ServerAction::run;
  // Of all servers (`all`, or a command without server argument): that a part of the configuration
  // could not be read is an error, since a server that nobody looks at must not seem to be fine.
  // Elsewhere it is a warning.
  bool must_have_all = false;
};

// What of a server a command needs as files of this host.
enum class LocalFiles { none, backups, wals, backups_and_wals };

// Of a server that has these in object storage the command is refused. In the texts {server} and
// {backup_id} stand for what was given.
struct LocalNeed {
  LocalFiles files = LocalFiles::none;
  std::string_view refusal{};
  std::string_view next_step{};  // may be empty
  // A flag with which the command needs none of it; may be empty.
  std::string_view unless{};
};

struct CommandSpec {
  std::string_view name{};
  std::vector<std::string_view> aliases{};
  std::string_view summary{};      // one line
  std::string_view description{};  // more, for the command's own help; may be empty
  ServerPolicy servers{};
  LocalNeed needs{};
  std::vector<OptionSpec> options{};
  std::vector<PositionalSpec> positionals{};
};

// In alphabetical order.
const std::vector<CommandSpec>& command_table();
// By name or alias.
const CommandSpec* find_command(std::string_view name);
// The options that stand before the command.
const std::vector<OptionSpec>& global_options();

}  // namespace barman::cli
