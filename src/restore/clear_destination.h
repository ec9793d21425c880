// Makes an existing data directory ready to be brought to the state of a backup: what does not
// belong there is removed.
#pragma once

#include <string>
#include <vector>

#include "base/interrupt.h"
#include "restore/restore_plan.h"

namespace barman::restore {

// What may belong to somebody else stays: hidden entries at the top of the data directory, and
// everything beside the cluster's own directory in the location of a tablespace.
// First global/pg_control, durably, so that PostgreSQL cannot start on what is half of one and half
// of the other. Then, in each tree, files and directories that the backup does not have. Links are
// removed and never followed, but for a pg_wal that lies elsewhere: it stays, emptied.
// WAL that is not in the archive, and files that are not PostgreSQL's, are not removed but moved
// aside (save_aside.h); returns what to tell of them. Throws `conflict` when a server was started.
std::vector<std::string> clear_destination(const RestorePlan& plan, const Interrupt& interrupt);

}  // namespace barman::restore
