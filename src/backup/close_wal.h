// The last segment of a backup, on the server.
#pragma once

#include "base/progress.h"
#include "catalogue/backup_info.h"
#include "postgres/connection.h"
#include "server/server.h"

namespace barman::backup {

// Makes the server complete the segment that holds the end of the backup, and marks the place with
// a restore point; a standby cannot, so its primary is asked. `connection` is an SQL session with
// the server.
void close_last_segment(const server::Server& server, const catalogue::BackupInfo& info,
                        postgres::Connection& connection, Messages& messages);

}  // namespace barman::backup
