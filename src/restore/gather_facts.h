// Looks at everything a restore depends on, without changing anything.
#pragma once

#include <string>

#include "content/backup_chain.h"
#include "restore/build_plan.h"
#include "restore/restore_facts.h"
#include "server/server.h"

namespace barman::restore {

// Marks in the manifests of the chain which files are there.
RestoreFacts gather_facts(const server::Server& server, const content::BackupChain& chain,
                          const RestoreRequest& request, const Relocations& relocations);

// Each WAL file of the plan is there with its size. One stat(2) a file.
void verify_wal_files(const RestorePlan& plan);

}  // namespace barman::restore
