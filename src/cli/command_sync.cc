#include <fmt/format.h>

#include "catalogue/last_reason.h"
#include "catalogue/locks.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/shown_work.h"
#include "sync/sync_backup.h"
#include "sync/sync_wals.h"

namespace barman::cli {

void run_sync_backup(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  const server::Server server = make_server(context, *config);
  const std::string& word = context.arguments.get("backup_id");
  const auto id = catalogue::parse_backup_id(word);
  if (!id) {
    throw Error(ErrorKind::usage, "'" + word + "' is not a backup ID",
                "Give an ID that 'sync-info --primary' names, such as 20261121T014237.");
  }
  catalogue::keeping_last_reason(
      config->backup_directory, "sync-backup", catalogue::sync_backup_lock(server.locks(), *id),
      [&] {
        const ShownWork work = {
            .task = "sync-backup",
            .object = "of " + id->value,
            .remains = fmt::format("What was copied stays: 'barman sync-backup {} {}', or the next "
                                   "cron, goes on with it.",
                                   server.name(), id->value)};
        run_shown(context, server, work, [&](Progress& progress) {
          sync::sync_backup(server, *id, context.reporter, progress);
        });
      });
}

void run_sync_wals(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  const server::Server server = make_server(context, *config);
  catalogue::keeping_last_reason(
      config->backup_directory, "sync-wals", catalogue::sync_wal_lock(server.locks()), [&] {
        const ShownWork work = {
            .task = "sync-wals",
            .object = "",
            .remains = fmt::format("The WAL that has come stays: 'barman sync-wals {}', or the "
                                   "next cron, goes on behind it.",
                                   server.name())};
        run_shown(context, server, work,
                  [&](Progress& progress) { sync::sync_wals(server, context.reporter, progress); });
      });
}

}  // namespace barman::cli
