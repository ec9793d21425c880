// Streaming WAL from a server into its streaming directory, and its replication slot.
#pragma once

#include "base/progress.h"
#include "server/server.h"

namespace barman::wal_transfer {

// Of a server that require_receiver() lets pass. Runs until interrupted, under the receive-wal
// lock. Completed segments are archived at once by children (archive_trigger.h). A lost session is
// opened again, for ever (receive_loop.h). Throws for what will not pass by itself: another process
// is receiving, the slot does not exist, the WAL was removed, the server is another cluster than
// identity.json says. Returns the signal that ended it.
int receive_wal(const server::Server& server, Messages& messages);

// Throws where no receiver runs by configuration: on a passive node, without streaming_archiver.
void require_receiver(const server::Server& server);

// Makes the streaming directory begin at the server's current position again. Throws as
// require_receiver().
void reset_receive_wal(const server::Server& server, Messages& messages);

enum class WhenSlotExists { fail, skip };
void create_slot(const server::Server& server, WhenSlotExists when_exists, Messages& messages);
void drop_slot(const server::Server& server, Messages& messages);

}  // namespace barman::wal_transfer
