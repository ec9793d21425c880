// How the listings show their tables.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "catalogue/running_work.h"
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

// For people: what runs for the server and how far it is, a line each; else none. Only what
// `is_wanted`, where that is given.
using WorkFilter = std::function<bool(const catalogue::RunningWork& work)>;
std::vector<std::string> work_lines(const CommandContext& context, const server::Server& server,
                                    const WorkFilter& is_wanted = {});

}  // namespace barman::cli
