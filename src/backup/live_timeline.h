// Which branch of time the server is on.
#pragma once

#include "catalogue/branches.h"
#include "server/server.h"

namespace barman::backup {

// Asks the server for its timeline, and for the history of it that the archive may not have yet: on
// what leads there depends which backups are abandoned. A server that does not answer leaves
// `branches` as it is, with a line in the log. Throws `interrupted`.
void ask_live_timeline(const server::Server& server, catalogue::Branches& branches);

}  // namespace barman::backup
