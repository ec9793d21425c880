// Copies archived WAL of the primary node.
//
// Files come into a hidden directory beside the archive, get their names when they are durable, and
// then their lines in the index; `sync-wals.info` moves on last. What a killed run has copied is
// not copied again.
#pragma once

#include "base/progress.h"
#include "server/server.h"
#include "sync/wanted_wal.h"

namespace barman::sync {

// Takes the lock of this synchronisation, or tells that another process holds it. Throws with the
// texts of Barman.
void sync_wals(const server::Server& server, Messages& messages, Progress& progress);

// What `wals/sync-wals.info` says: how far the last run came. Nothing when it is missing or
// damaged.
SyncRequest load_sync_position(const catalogue::CatalogueLocations& locations);
// The next cron asks for everything: a backup has come whose WAL was left out before.
void forget_sync_position(const catalogue::CatalogueLocations& locations);

}  // namespace barman::sync
