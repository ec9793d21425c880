// What cron does for a passive server: asks the primary node, and starts one sync-backup and one
// sync-wals as far as there is something to copy.
#pragma once

#include "base/process.h"
#include "base/progress.h"
#include "catalogue/catalogue.h"
#include "server/server.h"

namespace barman::sync {

// Failures to ask the primary are reported as Barman says; then nothing is started.
void run_passive_cron(const server::Server& server, catalogue::BackupListReader& backups,
                      DaemonOutputs outputs, Messages& messages);

}  // namespace barman::sync
