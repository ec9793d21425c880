// A standby of a running primary: its data directory is made by pg_basebackup of PostgreSQL.
#pragma once

#include <filesystem>

#include "support/postgres_server.h"

namespace barman::test {

// Only for versions that find_tool() has pg_basebackup of. The standby streams as the primary's
// superuser under the application name "standby".
//   clone_as_standby(primary, place.path() / "standby");
//   PostgresServer standby({.data_directory = place.path() / "standby"});
void clone_as_standby(const PostgresServer& primary, const std::filesystem::path& destination);

// A checkpoint of the primary that the standby has made its own: a backup of the standby, which
// cannot ask for a checkpoint, begins there and not in WAL of the time before the test.
void make_restart_point(const PostgresServer& primary, const PostgresServer& standby);

}  // namespace barman::test
