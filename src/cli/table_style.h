// How the listings show their tables.
#pragma once

#include <optional>

#include "cli/command_context.h"
#include "output/table_views.h"

namespace barman::cli {

// nullopt when the usual output is wanted: without --table, in JSON, or where stdout is no
// terminal.
std::optional<output::TableStyle> find_table_style(const CommandContext& context);

}  // namespace barman::cli
