// Tablespaces that were created in the WAL which a recovery replays. PostgreSQL makes them again
// where the server had them, and turns the link of the destination there, whatever place the
// restore gave it: on the host of the server, its recovery would write into the server's own files
// (src/backend/commands/tablespace.c, create_tablespace_directories()).
#pragma once

#include <vector>

#include "restore/restore_facts.h"
#include "restore/restore_plan.h"
#include "restore/wal_reading.h"

namespace barman::restore {

// Throws `conflict` when such a location on this host holds a tablespace that is not the
// destination's own, or cannot be looked at; warns of those that recovery will ask for.
void judge_replayed_tablespaces(const std::vector<ReplayedTablespace>& tablespaces,
                                const RecoveryTarget& target, const RestoreFacts& facts,
                                RestorePlan& plan);

}  // namespace barman::restore
