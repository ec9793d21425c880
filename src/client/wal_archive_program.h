// The program `barman-wal-archive`: archive_command of a PostgreSQL whose Barman is on another
// host. Exits 0 only when the segment is durable there.
#pragma once

#include "command_line/program_spec.h"

namespace barman::client {

const command_line::ProgramSpec& wal_archive_program();

int run_wal_archive(int argc, char** argv);

}  // namespace barman::client
