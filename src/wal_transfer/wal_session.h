// One session of a WAL receiver after the other, of which ReceiveLoop (receive_loop.h) decides how
// many there are.
#pragma once

#include <memory>

#include "base/progress.h"
#include "postgres/system_id.h"
#include "replication/wal_stream.h"
#include "server/server.h"

namespace barman::wal_transfer {

class WalSession {
 public:
  virtual ~WalSession() = default;
  // Connects and streams into the streaming directory; the server and its slot are looked at each
  // time. Returns when the interrupt asks to stop, throws as replication::WalReceiver::run().
  virtual void stream(replication::WalReceiverEvents& events) = 0;
  // Whether one has come as far as asking for WAL: what stands in its way later has passed before.
  virtual bool has_streamed() const = 0;
};

// With the server that streaming_conninfo leads to, which must be that system. A slot that is
// missing is made when the first session begins and `create_slot` is auto, and one that keeps no
// WAL is made anew. All arguments live longer.
std::unique_ptr<WalSession> make_wal_session(const server::Server& server,
                                             postgres::SystemId system_id, Messages& messages);

}  // namespace barman::wal_transfer
