#include "cli/commands.h"
#include "cli/server_selection.h"
#include "facts/server_state.h"
#include "output/server_views.h"

namespace barman::cli {

void run_list_servers(CommandContext& context) {
  announce_all_servers(context);
  std::vector<output::ServerListEntry> entries;
  for (const std::string& name : context.configuration.server_names()) {
    const config::ServerConfig& server = *context.configuration.find_server(name);
    entries.push_back({.name = name,
                       .description = server.description.value_or(""),
                       .state = facts::state_of(server),
                       .is_passive = server.is_passive()});
  }
  const auto style =
      context.arguments.is_set("minimal") ? output::ListStyle::minimal : output::ListStyle::full;
  output::write_server_list(context.reporter, entries, style);
  tell_first_step(context);
}

}  // namespace barman::cli
