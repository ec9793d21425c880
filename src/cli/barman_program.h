// The command line of `barman` for the machinery of command_line/: the command table, without what
// only cli/ needs of it.
#pragma once

#include "command_line/program_spec.h"

namespace barman::cli {

const command_line::ProgramSpec& barman_program();

}  // namespace barman::cli
