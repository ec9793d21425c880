// How the listings show their tables.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/command_context.h"
#include "output/table_views.h"
#include "server/server.h"

namespace barman::cli {

// nullopt when the usual output is wanted: without --table, in JSON, or where stdout is no
// terminal.
std::optional<output::TableStyle> find_table_style(const CommandContext& context);

// Whether what is printed goes to a terminal as text: only there may lines be added to outputs that
// programs read.
bool is_for_people(const CommandContext& context);

// For people: what runs for the server and how far it is, a line each; else none.
std::vector<std::string> work_lines(const CommandContext& context, const server::Server& server);

}  // namespace barman::cli
