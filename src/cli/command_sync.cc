#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "sync/sync_backup.h"
#include "sync/sync_wals.h"

namespace barman::cli {
namespace {

void require_local(const config::ServerConfig& config, const std::string& command) {
  if (!config.has_cloud_basebackups()) return;
  throw Error(ErrorKind::config,
              "'" + command + "' is not supported for servers using cloud storage");
}

}  // namespace

void run_sync_backup(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  require_local(*config, "sync-backup");
  const server::Server server = make_server(context, *config);
  const std::string& word = context.arguments.get("backup_id");
  const auto id = catalogue::parse_backup_id(word);
  if (!id) {
    throw Error(ErrorKind::usage, "'" + word + "' is not a backup ID",
                "Give an ID that 'sync-info --primary' names, such as 20261121T014237.");
  }
  sync::sync_backup(server, *id, context.reporter, context.progress);
}

void run_sync_wals(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  require_local(*config, "sync-wals");
  sync::sync_wals(make_server(context, *config), context.reporter, context.progress);
}

}  // namespace barman::cli
