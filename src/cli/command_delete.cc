#include "backup/delete_backup.h"
#include "cli/commands.h"
#include "cli/dry_run.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"

namespace barman::cli {

void run_delete(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  const server::Server server = make_server(context, *config);
  const catalogue::BackupInfo info = server.catalogue().resolve(context.arguments.get("backup_id"));
  if (context.arguments.is_set("dry_run")) return preview_delete(context, server, info);
  if (!backup::delete_backup(server, info, context.reporter)) context.reporter.mark_failed();
}

}  // namespace barman::cli
