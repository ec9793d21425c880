// Looks at everything a restore depends on, without changing anything.
#pragma once

#include <string>

#include "restore/build_plan.h"
#include "restore/restore_facts.h"
#include "server/server.h"
#include "stored/backup_chain.h"

namespace barman::restore {

// Marks in the manifests of the chain which files are there.
RestoreFacts gather_facts(const server::Server& server, const stored::BackupChain& chain,
                          const RestoreRequest& request, const Relocations& relocations);

// Looks at the directories, wherever they are (inspect_places.h, remote_places.h).
void inspect_any_places(const server::Server& server, const RestoreRequest& request,
                        const Relocations& relocations, RestoreFacts& facts);

// Each WAL file of the plan is there with its size. One stat(2) a file.
void verify_wal_files(const RestorePlan& plan);

}  // namespace barman::restore
