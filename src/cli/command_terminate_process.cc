#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "wal_transfer/processes.h"

namespace barman::cli {

void run_terminate_process(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  wal_transfer::terminate_process(make_server(context, *config), context.arguments.get("task_name"),
                                  context.reporter);
}

}  // namespace barman::cli
