// A segment that was never completed may be held several times: as the receiver left it, and as the
// server itself had it, archived later (a promoted standby, WAL saved from a crashed cluster).
#pragma once

#include "archive/wal_coding.h"
#include "restore/restore_facts.h"

namespace barman::restore {

// Takes out of `facts.received` the partial files of which another copy, archived or received, has
// everything.
void drop_shorter_partials(const archive::WalCoding& coding, RestoreFacts& facts);

}  // namespace barman::restore
