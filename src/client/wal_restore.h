// The program `barman-wal-restore`: restore_command of a PostgreSQL whose Barman is on another host
// (contract backup-and-wal.md 16). Its exit codes are those that PostgreSQL understands: 1 to 125
// mean that there is no such file, more ends the recovery.
#pragma once

namespace barman::client {

int run_wal_restore(int argc, char** argv);

}  // namespace barman::client
