// Makes a full backup out of an incremental one, inside the catalogue and without PostgreSQL: a
// backup of its own beside the chain, after which the older links may be deleted.
//
// Its ID is the next free one after the incremental backup's, so that the order of IDs stays the
// order of WAL; its positions and times are those of the incremental backup. Its files are plain,
// or, when a backup of the chain is encrypted, archives encrypted with the configured key; nothing
// of them is on this host's disk in clear meanwhile (merge_archives.cc). Each file is verified
// while it is put together (stored/reconstructed_file.h).
//
// What is durable when: STARTED while files are written; DONE or WAITING_FOR_WALS, whatever the
// incremental backup is, only when every file is. A process that dies leaves a backup that the next
// backup or cron marks FAILED, and the chain as it was.
#pragma once

#include "base/progress.h"
#include "catalogue/backup_info.h"
#include "server/server.h"

namespace barman::consolidate {

// The server's backup lock is held meanwhile, as by a backup. Throws `conflict` when somebody else
// has it, `usage` for a backup that is not incremental, `corrupt` naming the file of the chain that
// is damaged, `io` when the space does not suffice.
catalogue::BackupInfo consolidate_backup(const server::Server& server,
                                         const catalogue::BackupInfo& backup,
                                         std::size_t worker_count, Messages& messages,
                                         Progress& progress);

}  // namespace barman::consolidate
