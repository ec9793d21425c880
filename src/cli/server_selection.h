// Which servers a command works on: the names typed by the user, against the configuration and the
// command's policy for servers that are not in service.
//
// Unknown and refused servers are reported here as errors, skipped ones as messages, and each
// selected active server tells its configuration warnings. A server that lacks what the command
// needs on this host (CommandSpec::needs) throws `config`.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command_context.h"
#include "cli/command_table.h"

namespace barman::cli {

// Of a name that is not among `names`: what was probably meant, and the names there are. `kind`:
// "server", "model".
std::string unknown_name_hint(std::string_view kind, std::string_view name,
                              const std::vector<std::string>& names);

// Multi-server commands: the servers to work on, in name order.
std::vector<const config::ServerConfig*> select_servers(CommandContext& context);
// Single-server commands: nullptr when the command has nothing to do.
const config::ServerConfig* select_server(CommandContext& context);
// With another policy than that of the command table (receive-wal --stop).
const config::ServerConfig* select_server(CommandContext& context, const ServerPolicy& policy);

// Multi-server commands: runs `action` for each selected server. An Error ends only that server and
// is reported; an interrupt ends the command.
void for_each_server(CommandContext& context,
                     const std::function<void(const config::ServerConfig&)>& action);

// What of the configuration was left out, unless the command tells that itself, as an error
// (ServerPolicy::must_have_all).
void warn_of_gaps(CommandContext& context);

// On a terminal: what comes next when no server is configured. Programs get nothing, as ever.
void tell_first_step(CommandContext& context);

// Whether a reason why a server is disabled is that it shares a directory with another one: each
// command tells that once, before it begins.
bool is_conflict(const CommandContext& context, const std::string& reason);

// Commands without server argument: what the configuration has to tell of all servers.
void announce_all_servers(CommandContext& context);

}  // namespace barman::cli
