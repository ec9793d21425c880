// How the WAL receiver of a server shows up in pg_stat_replication.
#pragma once

#include <string>

#include "config/server_config.h"

namespace barman::wal_transfer {

// The application_name of streaming_conninfo, or `streaming_archiver_name`.
std::string receiver_name(const config::ServerConfig& config);

}  // namespace barman::wal_transfer
