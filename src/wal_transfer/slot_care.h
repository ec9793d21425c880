// The replication slot of a receiver when something is wrong with it: it is missing, or PostgreSQL
// has invalidated it, so that it keeps no WAL.
#pragma once

#include <optional>
#include <string>

#include "base/progress.h"
#include "postgres/queries.h"
#include "server/server.h"

namespace barman::wal_transfer {

// "replication slot 'barman' keeps no WAL any more (wal_status = lost)"; nullopt while it does.
std::optional<std::string> describe_slot_loss(const postgres::ReplicationSlot& slot);
// What gets out of it: "Run 'barman receive-wal --reset main', then take a new base backup".
std::string slot_loss_next_step(const std::string& server_name);

// Drops the slot if it is there and makes it anew; tells so. A slot that somebody else has made
// meanwhile will do.
void renew_slot(const server::Server& server, Messages& messages);

}  // namespace barman::wal_transfer
