// Options and positionals that several commands share. Internal to the command table.
#pragma once

#include <vector>

#include "cli/command_table.h"

namespace barman::cli {

using Options = std::vector<OptionSpec>;

Options operator+(Options left, const Options& right);

// --jobs and the pace at which they begin.
Options job_options();
// --retry-times, --retry-sleep, --no-retry.
Options retry_options();
OptionSpec bandwidth_option();
OptionSpec check_timeout_option();
// --table of the listings.
OptionSpec table_option();
// "--<name>" and "--no-<name>", one key; the last one wins.
Options flag_pair(std::string_view name, std::string_view negative_name, std::string_view help,
                  std::string_view negative_help);

// The server that a command works on: any, or one that is not disabled.
inline constexpr ServerPolicy kAnyServer = {.arity = ServerArity::single};
inline constexpr ServerPolicy kUsableServer = {.arity = ServerArity::single,
                                               .disabled = ServerAction::refuse};

PositionalSpec one_server();
PositionalSpec server_list();
PositionalSpec one_backup();

// The parts of the table, each in its own file.
std::vector<CommandSpec> backup_command_specs();   // taking and keeping backups
std::vector<CommandSpec> restore_command_specs();  // restore
std::vector<CommandSpec> wal_command_specs();      // WAL in and out
std::vector<CommandSpec> server_command_specs();   // servers, configuration, housekeeping

}  // namespace barman::cli
