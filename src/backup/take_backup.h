// The run of a backup, whatever its source: lock, metadata, hooks, WAL, size and status.
//
// What is durable when: the metadata says EMPTY before anything is done, STARTED while files
// arrive; WAITING_FOR_WALS is written only after the source has made every file whole and durable,
// DONE only when all WAL that the backup needs is in the archive. A backup that fails in any way is
// marked FAILED and keeps its files until it is deleted; one whose process died stays EMPTY or
// STARTED until the next backup finds it and marks it (abandoned_backups.h).
#pragma once

#include "backup/backup_source.h"
#include "base/progress.h"
#include "catalogue/backup_info.h"
#include "server/server.h"

namespace barman::backup {

// From the source that backup_method names. Returns the finished backup (DONE or WAITING_FOR_WALS),
// or the FAILED one after reporting why. Throws only for what happens before a backup exists:
// `config`, and `conflict` when another backup runs.
catalogue::BackupInfo take_backup(const server::Server& server, const BackupRequest& request,
                                  Messages& messages, Progress& progress);
// From this source.
catalogue::BackupInfo take_backup(const server::Server& server, const BackupRequest& request,
                                  BackupSource& source, Messages& messages, Progress& progress);

}  // namespace barman::backup
