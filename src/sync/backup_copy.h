// The files of one backup of the primary node, brought into the catalogue and proven
// (docs/decisions/0011-what-a-copy-proves.md).
//
// What is here already is not sent again: files of an earlier attempt that have the size and the
// time of those on the primary, and files that the primary shares between this backup and another
// one that is here (hard links), which are shared here, too. They prove what the others prove; when
// they do not, everything is copied once more. The rest comes over several connections
// (parallel_jobs). Where the primary has no GNU find and tar, all comes over one connection.
#pragma once

#include "base/progress.h"
#include "catalogue/backup_info.h"
#include "server/server.h"
#include "sync/primary_info.h"

namespace barman::sync {

// Its files are durable, and those of the primary, when it returns. Throws `remote`, `corrupt`,
// `interrupted`; what has arrived stays for the next attempt. The caller holds the locks of the
// synchronisation and of the backup.
void copy_backup_files(const server::Server& server, const PrimaryInfo& primary,
                       const catalogue::BackupInfo& backup, Progress& progress);

}  // namespace barman::sync
