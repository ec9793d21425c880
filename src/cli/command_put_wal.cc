#include <unistd.h>

#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "wal_transfer/put_wal.h"

namespace barman::cli {

void run_put_wal(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  if (context.arguments.is_set("test")) {
    context.reporter.info("Ready to accept WAL files for the server " + config->name);
    return;
  }
  wal_transfer::put_wal(make_server(context, *config), STDIN_FILENO, context.reporter);
}

}  // namespace barman::cli
