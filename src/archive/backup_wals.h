// The WAL of one backup: is it all archived, and, for the first backup of a server, what older WAL
// may go (contract backup-and-wal.md 2.4, 2.6).
#pragma once

#include "base/progress.h"
#include "catalogue/backup_info.h"
#include "server/server.h"

namespace barman::archive {

enum class BackupWals {
  busy,       // another process works on this backup (told)
  unchanged,  // the backup is still running
  waiting,
  done,
  failed,  // marked as FAILED; the reason was reported as an error
};

// Looks into the archive and saves the status found, under the lock of the backup. Throws for a
// backup that is unknown, unreadable or failed already.
BackupWals check_backup_wals(const server::Server& server, const catalogue::BackupId& id,
                             Messages& messages);

// When no usable backup is older than `backup`: tells so and removes the WAL before begin_wal, or
// nothing with worm_mode or without begin_wal. The caller holds the backup lock of the server.
void remove_wals_before_first_backup(const server::Server& server,
                                     const catalogue::BackupInfo& backup, Messages& messages);

}  // namespace barman::archive
