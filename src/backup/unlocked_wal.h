// WAL that nobody needs, and that a bucket has kept because it was locked: it goes when its time is
// over (wal_archive/locked_wal.h).
#pragma once

#include "base/progress.h"
#include "catalogue/catalogue.h"
#include "server/server.h"

namespace barman::backup {

// Removes it, and tells how much. Nothing before its time, while a backup or a deletion runs, and
// when it is not known what is needed.
void remove_unlocked_wal(const server::Server& server, catalogue::BackupListReader& reader,
                         Messages& messages);

}  // namespace barman::backup
