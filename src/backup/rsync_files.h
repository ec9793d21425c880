// The source of method `rsync`: the files of a PostgreSQL on another host come by rsync, through
// the user's ssh_command, between start and stop of a backup by the low-level API.
#pragma once

#include <memory>

#include "backup/backup_source.h"
#include "server/server.h"

namespace barman::backup {

// Both arguments must live longer.
std::unique_ptr<BackupSource> make_rsync_files(const server::Server& server,
                                               const BackupRequest& request);

}  // namespace barman::backup
