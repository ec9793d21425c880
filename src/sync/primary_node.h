// Asking the primary node of a passive server, through the user's primary_ssh_command.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/progress.h"
#include "host/host.h"
#include "host/remote_tree.h"
#include "server/server.h"
#include "sync/wanted_wal.h"

namespace barman::sync {

// What `barman sync-info` says on the primary, in a file without a name, read from its beginning.
// When the primary does not know the WAL of the request (exit status 1), it is asked once more for
// everything, with a warning. Throws `conflict` "server main is not passive", `remote` when the
// primary cannot be asked.
Fd ask_primary(const server::Server& server, const SyncRequest& request, Messages& messages);

// Where primary_ssh_command leads.
host::SshHost primary_host(const config::ServerConfig& config);

// What runs there.
std::vector<std::string> primary_command(const config::ServerConfig& config,
                                         const std::filesystem::path& configuration_path,
                                         const SyncRequest& request);

// Files of the primary's host; honours network_compression and bandwidth_limit, of which each of
// several connections gets its share. Throws as host::receive_tree().
void receive_from_primary(const server::Server& server, const host::RemoteTree& tree,
                          pipeline::TarVisitor& visitor, Progress& progress,
                          std::size_t connections = 1);

}  // namespace barman::sync
