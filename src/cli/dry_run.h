// The dry runs of `delete` and `cron`: facts, preview, output.
#pragma once

#include "catalogue/backup_info.h"
#include "cli/command_context.h"
#include "server/server.h"

namespace barman::cli {

// What `delete` would do with this backup. A refusal is reported as delete reports it.
void preview_delete(CommandContext& context, const server::Server& server,
                    const catalogue::BackupInfo& backup);
// What the retention part of `cron` would do.
void preview_cron(CommandContext& context, const server::Server& server);

}  // namespace barman::cli
