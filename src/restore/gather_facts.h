// Looks at everything a restore depends on, without changing anything.
#pragma once

#include <string>

#include "restore/build_plan.h"
#include "restore/restore_facts.h"
#include "server/server.h"

namespace barman::restore {

// Reads the index and the history files of the WAL archive.
ArchivedTimelines read_timelines(const catalogue::CatalogueLocations& locations);

RestoreFacts gather_facts(const server::Server& server, const catalogue::BackupInfo& backup,
                          const RestoreRequest& request, const Relocations& relocations,
                          ManifestIndex* manifest);

// Each WAL file of the plan is there with its size. One stat(2) a file.
void verify_wal_files(const RestorePlan& plan);

}  // namespace barman::restore
