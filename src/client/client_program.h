// What the programs for database hosts have in common on their command lines.
#pragma once

#include <string_view>
#include <vector>

#include "client/remote_barman.h"
#include "command_line/parsed_arguments.h"
#include "command_line/program_spec.h"

namespace barman::client {

// Style, exit codes, version and manual pages to see; options and positionals are the program's.
command_line::ProgramSpec client_program(std::string_view name);

// --help, --version, --user, --port and --config, and then the program's own.
std::vector<command_line::OptionSpec> with_connection_options(
    const std::vector<command_line::OptionSpec>& own);
// "BARMAN_HOST SERVER_NAME", and then the program's own.
std::vector<command_line::PositionalSpec> with_barman_positionals(
    const std::vector<command_line::PositionalSpec>& own);
// What both tell.
RemoteBarman remote_barman(const command_line::ParsedArguments& arguments);

}  // namespace barman::client
