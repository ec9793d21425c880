// What help, man pages and completion show of the command table.
#pragma once

#include <vector>

#include "cli/command_table.h"

namespace barman::cli {

// Those that this build has.
std::vector<const CommandSpec*> shown_commands();
// "-h", which every command has beside its own options.
const OptionSpec& help_option();

}  // namespace barman::cli
