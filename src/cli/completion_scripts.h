// What completes names of servers and IDs of backups while the user types: functions that ask
// barman itself. The beginnings of the scripts that are made from the command table.
#pragma once

#include "command_line/program_spec.h"

namespace barman::cli {

command_line::CompletionScripts completion_scripts();

}  // namespace barman::cli
