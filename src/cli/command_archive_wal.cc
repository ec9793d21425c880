#include "catalogue/last_reason.h"
#include "catalogue/locks.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "wal_archive/archive_wal.h"

namespace barman::cli {

void run_archive_wal(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  // A passive node gets its WAL from the primary node.
  if (config == nullptr || config->is_passive()) return;
  const server::Server server = make_server(context, *config);
  catalogue::keeping_last_reason(
      config->backup_directory, "archive-wal", catalogue::archive_wal_lock(server.locks()), [&] {
        wal_archive::archive_pending_wal(
            server, {.when_idle = wal_archive::ArchiveRequest::WhenIdle::tell}, context.reporter);
      });
  context.interrupt.throw_if_requested();
}

}  // namespace barman::cli
