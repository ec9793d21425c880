#include "archive/processes.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"

namespace barman::cli {

void run_terminate_process(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  archive::terminate_process(make_server(context, *config), context.arguments.get("task_name"),
                             context.reporter);
}

}  // namespace barman::cli
