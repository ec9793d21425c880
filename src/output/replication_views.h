// The result of replication-status (contract cli.md 4.22).
#pragma once

#include <string_view>

#include "output/reporter.h"
#include "output/server_views.h"
#include "postgres/queries.h"

namespace barman::output {

// `kind` names which clients were asked for.
void write_replication_status(Reporter& reporter, std::string_view server,
                              const postgres::ReplicationStatus& status,
                              postgres::ReplicationClientKind kind, ListStyle style);

}  // namespace barman::output
