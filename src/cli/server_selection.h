// Which servers a command works on: the names typed by the user, against the configuration and the
// command's policy for servers that are not in service (contract cli.md 2).
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "cli/command_context.h"
#include "output/check_report.h"

namespace barman::cli {

// Emitted for each selected active server ("Forcing 'archiver = on'", …) are its warnings. Errors
// (unknown server, refused server, `all` where one is meant) are reported through the reporter.

// Multi-server commands: the servers to work on, in name order, without those skipped or refused.
std::vector<const config::ServerConfig*> select_servers(CommandContext& context);
// Single-server commands: nullptr when the command has nothing to do (already reported).
const config::ServerConfig* select_server(CommandContext& context);

// Runs `action` for each selected server. What it throws is reported and ends only that server;
// an interrupt ends the command.
void for_each_server(CommandContext& context,
                     const std::function<void(const config::ServerConfig&)>& action);

output::ServerState state_of(const config::ServerConfig& server);

}  // namespace barman::cli
