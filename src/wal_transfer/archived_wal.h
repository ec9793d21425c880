// What the archive of a server holds, for its receiver: where streaming goes on, and whether the
// server still is what it was (replication/held_wal.h).
#pragma once

#include "replication/held_wal.h"
#include "server/server.h"

namespace barman::wal_transfer {

// What cannot be read (encrypted, damaged) counts as not held, and is told to the log.
replication::ArchivedWal look_at_archived_wal(const server::Server& server);

}  // namespace barman::wal_transfer
