// Waits until a WAL file is archived, archiving meanwhile what arrives.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>

#include "base/progress.h"
#include "server/server.h"
#include "wal/lsn.h"

namespace barman::wal_transfer {

enum class WaitOutcome { archived, timed_out, interrupted };

// Tells that it waits; at the time-out reports the error "The WAL file … has not been received in …
// seconds"; at an interrupt tells that it goes on without waiting. A zero time-out means for ever.
// The interrupt stays requested: what the caller does next must not wait for it again.
// Calls `on_wait` now and then, with how long it has waited.
using OnWait = std::function<void(std::chrono::milliseconds)>;
WaitOutcome wait_for_wal(const server::Server& server, const std::string& wal_name,
                         std::chrono::seconds timeout, Messages& messages,
                         const OnWait& on_wait = {});

// The last archived segment of each timeline.
using LastSegments = std::map<wal::TimelineId, std::string>;
LastSegments list_last_segments(const server::Server& server);

// Waits until a timeline has another last segment than in `before`. A time-out is no error.
WaitOutcome wait_for_any_wal(const server::Server& server, const LastSegments& before,
                             std::chrono::seconds timeout, Messages& messages);

}  // namespace barman::wal_transfer
