#include "check/server_facts.h"
#include "cli/backup_facts.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/status_rows.h"

namespace barman::cli {

void run_status(CommandContext& context) {
  for_each_server(context, [&](const config::ServerConfig& config) {
    const server::Server server = make_server(context, config);
    std::optional<check::ServerFacts> facts;
    if (check::has_live_values(config)) {
      if (!config.conninfo) {
        for (const std::string& text : config.messages) context.reporter.error(text);
      }
      facts = check::gather_server_facts(server);
    }
    output::write_status(context.reporter, config.name,
                         make_status_rows(config, facts, list_readable_backups(context, server)));
  });
}

}  // namespace barman::cli
