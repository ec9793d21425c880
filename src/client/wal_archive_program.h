// The program `barman-wal-archive`: archive_command of a PostgreSQL whose Barman is on another
// host. Exits 0 only when the segment is durable there.
#pragma once

#include "client/command_line.h"

namespace barman::client {

const ClientProgram& wal_archive_program();

int run_wal_archive(int argc, char** argv);

}  // namespace barman::client
