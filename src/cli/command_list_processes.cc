#include "catalogue/locks.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/table_style.h"
#include "output/archive_views.h"

namespace barman::cli {

void run_list_processes(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  const server::Server server = make_server(context, *config);
  output::write_processes(context.reporter, server.name(),
                          catalogue::list_processes(server.locks()), work_lines(context, server));
}

}  // namespace barman::cli
