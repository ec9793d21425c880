// Who may change what lies in the bucket of a server: the host on which the server is active. Locks
// are files of one host, and its catalogue is what decides what is needed.
#pragma once

#include <string_view>

#include "server/server.h"

namespace barman::backup {

// Throws `config` "cannot <action> of server 'main' here: …" for an inactive server whose backups
// lie in a bucket.
void require_bucket_owner(const server::Server& server, std::string_view action);

}  // namespace barman::backup
