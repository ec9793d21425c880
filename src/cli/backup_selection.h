// The backup that a command is about, as server_selection.h is for servers.
#pragma once

#include "catalogue/backup_info.h"
#include "cli/command_context.h"
#include "server/server.h"

namespace barman::cli {

// Of the argument `backup_id`. Newer backups that a word passes over, since they cannot be
// restored, are told. Throws `not_found`.
catalogue::BackupInfo select_backup(CommandContext& context, const server::Server& server);

}  // namespace barman::cli
