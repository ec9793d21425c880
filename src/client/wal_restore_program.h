// The program `barman-wal-restore`: restore_command of a PostgreSQL whose Barman is on another
// host. Its exit codes are those that PostgreSQL understands: 1 to 125 mean that there is no such
// file, more ends the recovery.
#pragma once

#include "command_line/program_spec.h"

namespace barman::client {

const command_line::ProgramSpec& wal_restore_program();

int run_wal_restore(int argc, char** argv);

}  // namespace barman::client
