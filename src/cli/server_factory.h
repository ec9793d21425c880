// Servers for commands: the configuration of one server tied to the running program.
#pragma once

#include <string_view>

#include "cli/command_context.h"
#include "server/server.h"

namespace barman::cli {

// What it means for a command that the catalogue of a server is not there.
enum class Absence {
  refused,      // also of a server that never had one
  made_good,    // the command makes the directories of a new server
  told,         // an error, after which it goes on; a new server need not have one
  told_inside,  // as told, but by the command itself, in its own form
};
// One place for all commands; those that it does not know are refused.
Absence absence_rule(std::string_view command);

// Throws when the catalogue of the server is not where it was, as absence_rule() says.
server::Server make_server(const CommandContext& context, const config::ServerConfig& config);

// As what server-less commands need. Throws, or tells, when barman_home is not there.
void require_barman_home(const CommandContext& context);

}  // namespace barman::cli
