// What the running server says of files that no backup knows: names of databases, and of relations
// that still are there (after DELETE and UPDATE they are).
#pragma once

#include <vector>

#include "accident/accident.h"
#include "server/server.h"

namespace barman::accident {

// Only where a name is missing. A server that cannot be asked, or does not let the user into a
// database, tells nothing; at most some seconds are waited for it.
void ask_for_names(const server::Server& server, std::vector<Accident>& accidents);

}  // namespace barman::accident
