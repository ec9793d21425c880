#include <fmt/format.h>

#include "base/text.h"
#include "cli/backup_selection.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/shown_work.h"
#include "cli/worker_count.h"
#include "consolidate/consolidate.h"

namespace barman::cli {

void run_consolidate(CommandContext& context) {
  const config::ServerConfig* const config = select_server(context);
  if (config == nullptr) return;
  const server::Server server = make_server(context, *config);
  const catalogue::BackupInfo backup = select_backup(context, server);
  const ShownWork work = {
      .task = "consolidate",
      .object = "of " + backup.id.value,
      .remains = fmt::format("Nothing was changed: 'barman consolidate {} {}' begins anew.",
                             server.name(), backup.id.value)};
  const catalogue::BackupInfo full = run_shown(context, server, work, [&](Progress& progress) {
    return consolidate::consolidate_backup(server, backup, worker_count(context.arguments, *config),
                                           context.reporter, progress);
  });
  context.reporter.info(fmt::format("Backup size: {}", human_size(full.size.value_or(0))));
  context.reporter.info(fmt::format(
      "Backup {} is complete and needs no other backup. The backups that {} is put together from "
      "are kept; delete them when nothing else builds on them.",
      full.id.value, backup.id.value));
  context.reporter.add_json("backup_id", full.id.value);
}

}  // namespace barman::cli
