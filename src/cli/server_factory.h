// Servers for commands: the configuration of one server tied to the running program.
#pragma once

#include "cli/command_context.h"
#include "server/server.h"

namespace barman::cli {

server::Server make_server(const CommandContext& context, const config::ServerConfig& config);

}  // namespace barman::cli
