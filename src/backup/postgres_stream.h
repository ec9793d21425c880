// The source of method `postgres`: a BASE_BACKUP over a replication connection, with questions over
// an SQL connection beside it. PostgreSQL begins and ends the backup by itself.
#pragma once

#include <memory>

#include "backup/backup_source.h"
#include "server/server.h"

namespace barman::backup {

// Both arguments must live longer.
std::unique_ptr<BackupSource> make_postgres_stream(const server::Server& server,
                                                   const BackupRequest& request);

}  // namespace barman::backup
