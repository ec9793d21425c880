// The source of method `local-rsync`: the files of a PostgreSQL on this host are copied while it
// runs, between start and stop of a backup by the low-level API. No rsync is run.
#pragma once

#include <memory>

#include "backup/backup_source.h"
#include "server/server.h"

namespace barman::backup {

// Both arguments must live longer.
std::unique_ptr<BackupSource> make_local_files(const server::Server& server,
                                               const BackupRequest& request);

// Throws unless the data directory can be read here, and belongs to the server that answers:
// another one of the same cluster may have its files in the same place of another host, or of this
// one.
void require_local_data_directory(const server::Server& server, postgres::Connection& connection);

}  // namespace barman::backup
