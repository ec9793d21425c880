// The hook scripts of a configured server, and what those about a backup are told.
#pragma once

#include <vector>

#include "catalogue/backup_info.h"
#include "server/hook_scripts.h"
#include "server/server.h"

namespace barman::server {

// Keeps a reference to the configuration of `server`.
HookScripts make_hooks(const Server& server, HookKind kind);

// BARMAN_BACKUP_ID, _DIR, _INFO_PATH, BARMAN_PREVIOUS_ID, BARMAN_NEXT_ID and BARMAN_STATUS;
// `backups` are those of the server now, ascending by ID.
HookVariables backup_hook_variables(const Server& server,
                                    const std::vector<catalogue::BackupInfo>& backups,
                                    const catalogue::BackupInfo& backup);

}  // namespace barman::server
