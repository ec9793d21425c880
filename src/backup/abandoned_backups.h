// Backups whose process died before they were complete.
#pragma once

#include "base/progress.h"
#include "catalogue/catalogue.h"
#include "server/server.h"

namespace barman::backup {

// Marks backups FAILED that are EMPTY or STARTED although nobody holds the backup lock. The caller
// holds it; `list` is the catalogue as it is under it.
void fail_abandoned_backups(const server::Server& server, const catalogue::BackupList& list,
                            Messages& messages);

}  // namespace barman::backup
