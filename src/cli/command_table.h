// Every command of `barman` as data: names, options, positionals, how it treats servers that are
// not in service. Parsing, help texts and man pages are made from this table.
//
// A command whose `availability` is `later` is known by name only: it is not shown and is refused.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace barman::cli {

enum class ValueKind {
  flag,  // no value; `constant` is stored
  text,
  choice,           // one of `choices`
  optional_choice,  // one of `choices`; the value may be left out, then `constant` is stored
  non_negative,
  positive,
  timeline,  // positive, "current" or "latest"
  backup_name,
  absolute_path,
  staging_size,  // number with an optional k Ki M Mi G Gi T Ti
};

enum class Repetition { last_wins, accumulate };

struct OptionSpec {
  std::vector<std::string_view> names{};  // long names without dashes; the first is the usual one
  std::string_view short_names{};         // "zx" = -z and -x
  ValueKind kind = ValueKind::flag;
  std::string_view help{};
  std::string_view metavar{};
  std::vector<std::string_view> choices{};
  // Where the value goes; several options may share one. Empty = names[0] with '-' as '_'.
  std::string_view target{};
  std::string_view constant = "true";
  std::optional<std::string_view> default_text{};  // stored when the option is absent
  Repetition repetition = Repetition::last_wins;

  std::string key() const;
  // "--jobs/-j"
  std::string display_names() const;
};

enum class Arity { one, optional, one_or_more };

struct PositionalSpec {
  std::string_view key{};
  std::string_view metavar{};
  std::string_view help{};
  Arity arity = Arity::one;
  ValueKind kind = ValueKind::text;
};

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
