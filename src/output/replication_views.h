// The result of replication-status.
#pragma once

#include <optional>
#include <string_view>

#include "facts/wal_flow.h"
#include "output/reporter.h"
#include "output/server_views.h"
#include "postgres/queries.h"

namespace barman::output {

// `kind` names which clients were asked for; `flow` is shown behind them, unless it is brief.
void write_replication_status(Reporter& reporter, std::string_view server,
                              const postgres::ReplicationStatus& status,
                              postgres::ReplicationClientKind kind, ListStyle style,
                              const std::optional<facts::WalFlow>& flow = {});

}  // namespace barman::output
