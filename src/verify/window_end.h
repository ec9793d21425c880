// Whether WAL still comes in: without it the window of recovery ends where it is, however whole the
// catalogue may be. Told by what this host knows; PostgreSQL is not asked.
#pragma once

#include <vector>

#include "server/server.h"
#include "verify/survey.h"

namespace barman::verify {

// Notices; empty when nothing tells that WAL has stopped coming. `last_segment`: the one that was
// archived last, "" = none.
std::vector<Finding> find_stopped_wal(const server::Server& server,
                                      const std::string& last_segment);

}  // namespace barman::verify
