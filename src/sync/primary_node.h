// Asking the primary node of a passive server, through the user's primary_ssh_command.
#pragma once

#include "base/fd.h"
#include "base/progress.h"
#include "server/server.h"
#include "sync/wanted_wal.h"

namespace barman::sync {

// What `barman sync-info` says on the primary, in a file without a name, read from its beginning.
// When the primary does not know the WAL of the request (exit status 1), it is asked once more for
// everything, with a warning. Throws `conflict` "server main is not passive", `remote` when the
// primary cannot be asked.
Fd ask_primary(const server::Server& server, const SyncRequest& request, Messages& messages);

// Two shells take a word apart, ours and the remote one. Plain words stay as they are, so that
// forced commands on the primary see what they know.
std::string remote_word(std::string_view word);

// The command line that is given to the shell.
std::string primary_command(const config::ServerConfig& config,
                            const std::filesystem::path& configuration_path,
                            const SyncRequest& request);

}  // namespace barman::sync
