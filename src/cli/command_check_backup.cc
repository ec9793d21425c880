#include <fmt/format.h>

#include "catalogue/server_warnings.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "wal_transfer/backup_wals.h"

namespace barman::cli {

void run_check_backup(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  const server::Server server = make_server(context, *config);
  const catalogue::BackupInfo info = server.catalogue().resolve(context.arguments.get("backup_id"));
  wal_transfer::check_backup_wals(server, info.id, context.reporter);
  for (const std::string& warning :
       catalogue::list_server_warnings(server.catalogue().base_directory(info.id))) {
    context.reporter.warning(
        fmt::format("PostgreSQL said while it sent backup {}: {}", info.id.value, warning));
  }
}

}  // namespace barman::cli
