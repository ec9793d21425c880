#include "archive/archive_wal.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"

namespace barman::cli {

void run_archive_wal(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  // A passive node gets its WAL from the primary node.
  if (config == nullptr || config->is_passive()) return;
  archive::archive_pending_wal(make_server(context, *config),
                               {.when_idle = archive::ArchiveRequest::WhenIdle::tell},
                               context.reporter);
  context.interrupt.throw_if_requested();
}

}  // namespace barman::cli
