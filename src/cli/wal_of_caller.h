// Which catalogue a caller of get-wal means: the name of a server stays when its cluster becomes
// another one (follow-upgrade), and clusters that were restored from the old backups go on asking
// for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/command_context.h"
#include "server/server.h"

namespace barman::cli {

// Of --cluster, else of the data directory that is the current one. Throws `usage`.
std::optional<std::uint64_t> find_caller(const ParsedArguments& arguments);

// The server whose WAL that cluster gets: `server`, or the one whose catalogue is of the caller.
// Throws `conflict` when that is none: WAL of another cluster, and "there is none", would end the
// caller's recovery.
server::Server server_of_caller(const CommandContext& context, server::Server server,
                                std::uint64_t caller);

// Of who does not tell which cluster asks: the servers that have the catalogues which were this
// one's. PostgreSQL itself refuses a segment of another cluster.
std::vector<server::Server> predecessors_of(const CommandContext& context,
                                            const server::Server& server);

}  // namespace barman::cli
