#include "server/server_hooks.h"

#include <string>

#include "catalogue/catalogue.h"

namespace barman::server {
namespace {

std::string id_text(const catalogue::BackupInfo* backup) {
  return backup != nullptr ? backup->id.value : "";
}

}  // namespace

HookScripts make_hooks(const Server& server, HookKind kind) {
  return {server.config(),
          {.server_name = server.name(),
           .configuration_path = server.program().configuration_path,
           .path_prefix = server.config().path_prefix},
          kind,
          server.interrupt()};
}

HookVariables backup_hook_variables(const Server& server,
                                    const std::vector<catalogue::BackupInfo>& backups,
                                    const catalogue::BackupInfo& backup) {
  const catalogue::Catalogue& catalogue = server.catalogue();
  return {{"BARMAN_BACKUP_ID", backup.id.value},
          {"BARMAN_BACKUP_DIR", catalogue.shown_directory(backup.id)},
          {"BARMAN_BACKUP_INFO_PATH", catalogue.backup_info_path(backup.id).string()},
          {"BARMAN_PREVIOUS_ID", id_text(catalogue::previous_backup(backups, backup.id))},
          {"BARMAN_NEXT_ID", id_text(catalogue::next_backup(backups, backup.id))},
          {"BARMAN_STATUS", std::string(catalogue::status_text(backup.status))}};
}

}  // namespace barman::server
