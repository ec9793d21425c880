#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "transfer/import_backup.h"

namespace barman::cli {

void run_import_backup(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  const server::Server server = make_server(context, *config);
  const catalogue::BackupId id = transfer::import_backup(server, context.arguments.get("tarball"),
                                                         context.reporter, context.progress);
  context.reporter.info(
      fmt::format("Successfully imported backup '{}' into server '{}'", id.value, server.name()));
}

}  // namespace barman::cli
