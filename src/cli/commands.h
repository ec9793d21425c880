// The functions behind the commands, one file each (command_<name>.cc). A command reports through
// its context; what it throws is mapped to messages and exit codes by application.cc.
#pragma once

#include "cli/command_context.h"

namespace barman::cli {

void run_list_servers(CommandContext& context);
void run_show_servers(CommandContext& context);

using CommandFunction = void (*)(CommandContext&);
// nullptr for a command that has no function (`help` is done by the application itself).
CommandFunction find_command_function(std::string_view name);

}  // namespace barman::cli
