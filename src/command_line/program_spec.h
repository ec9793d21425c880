// The command line of a program as data: one table, from which parsing, help, manual pages and the
// completion of shells are made. `barman` has commands; other programs have options and
// positionals of their own, and no commands.
//
// Texts are literals or live as long as the program; names become keys of ParsedArguments.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace barman::command_line {

enum class ValueKind {
  flag,     // no value; `constant` is stored
  help,     // a flag that asks for the help text
  version,  // a flag that asks for the version
  text,
  choice,           // one of `choices`
  optional_choice,  // one of `choices`; the value may be left out, then `constant` is stored
  non_negative,
  positive,
  timeline,  // positive, "current" or "latest"
  backup_name,
  absolute_path,
  staging_size,  // number with an optional k Ki M Mi G Gi T Ti
  integer,
  transfer_size,      // "100GB": 1024 * 1024 * 1024 each; "1GiB": 1000 * 1000 * 1000
  object_tag,         // "KEY,VALUE"
  compression_level,  // low, medium, high or an integer
};
bool takes_no_value(ValueKind kind);

enum class Repetition {
  last_wins,
  accumulate,
  // Several values behind one name, up to the next option; each use begins anew.
  several_values,
};

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
  // Of several options with the same text here only one may be given.
  std::string_view group{};
  // What the value is, for completion: "files", "directories", "hosts", or what the program's
  // CompletionScripts know; "" = nothing that a shell could tell.
  std::string_view words{};
  // One that is accepted without effect, and why: no help, no manual page and no completion offers
  // it, and who gives it is told (unused_options()).
  std::string_view unused_because{};

  bool is_offered() const { return unused_because.empty(); }
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
  std::string_view words{};  // as those of options
};

// What may be written behind the name of a program or of one of its commands.
struct ArgumentSpec {
  std::vector<OptionSpec> options{};
  std::vector<PositionalSpec> positionals{};

  std::vector<OptionSpec> offered_options() const;
};

struct CommandSyntax {
  std::string_view name{};
  std::vector<std::string_view> aliases{};
  std::string_view summary{};  // one line
  // More, for the command's own help; may be empty. Lines are paragraphs.
  std::string_view description{};
  ArgumentSpec arguments{};
  // One that is known by name only is not shown and is refused.
  bool is_available = true;
};

// How mistakes are told. Both read options anywhere, bundled short ones, unambiguous beginnings of
// long ones, "--opt=value" and "--".
enum class Reading {
  // As Python's argparse: a value may not look like an option, unknown words are collected and told
  // together, an option is told by all its names, values are checked where they stand.
  argparse,
  // As getopt_long(3): what follows is the value, the first mistake counts, values are checked
  // last.
  getopt,
};

enum class HelpStyle {
  // "usage: p [-h] [--jobs NJOBS] server_name": every option, wrapped at 80 columns.
  full,
  // "usage: p [options] SERVER_NAME", and an example of the setting of PostgreSQL that calls it.
  brief,
};

// A name and what it means: an exit code, a file.
struct ManualEntry {
  std::string_view name;
  std::string_view meaning;
};

// Commands that belong together, for the help of the program. Names that the program does not have
// are passed over.
struct CommandGroup {
  std::string_view title{};
  std::string_view example{};
  std::vector<std::string_view> commands{};
};

// The beginnings of the scripts of a program with commands: functions that complete what only the
// program knows (command_line/completion.h).
struct CompletionScripts {
  std::string_view bash{};
  std::string_view zsh{};
  std::string_view fish{};
};

struct ProgramSpec {
  std::string_view name{};
  // One line without a full stop: "send a WAL file to Barman on another host".
  std::string_view summary{};
  std::string_view description{};  // more, for the manual page
  std::string version{};           // what --version prints
  HelpStyle help_style = HelpStyle::full;
  Reading reading = Reading::argparse;
  int usage_exit_code = 2;    // of a command line that cannot be used
  int failure_exit_code = 1;  // of everything that is thrown
  // With commands: the options that stand before the command; --help and --version among them.
  ArgumentSpec arguments{};
  std::vector<CommandSyntax> commands{};
  // The order of the help; commands of no group come last.
  std::vector<CommandGroup> groups{};
  // Behind help texts.
  std::string_view epilogue{};
  std::string_view example{};  // of postgresql.conf
  std::vector<ManualEntry> exits{};
  std::vector<ManualEntry> files{};
  std::vector<std::string_view> see_also{};  // "barman (1)"
  CompletionScripts completion{};

  // By name or alias; nullptr when there is none.
  const CommandSyntax* find_command(std::string_view command) const;
  // The arguments of a command with the help option of the program in front, or the program's own.
  ArgumentSpec arguments_of(const CommandSyntax* command) const;
  // The option that asks for help; every command has it, too.
  const OptionSpec& help_option() const;
};

}  // namespace barman::command_line
