#include <fmt/format.h>

#include "backup/rebuild_catalogue.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "wal_archive/wal_archive.h"

namespace barman::cli {

void run_rebuild_catalogue(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  const server::Server server = make_server(context, *config);
  context.reporter.info("Rebuilding the catalogue of server " + config->name + " from the bucket");
  const backup::RebuiltCatalogue rebuilt = backup::rebuild_catalogue(server, context.reporter);
  for (const catalogue::BackupId& id : rebuilt.added) context.reporter.info("\t" + id.value);
  const wal_archive::RebuildCounts counts =
      wal_archive::WalArchive(server).rebuild_index(server.interrupt());
  context.reporter.info(
      fmt::format("Done rebuilding the catalogue of server {} (backups: {} found, {} known before; "
                  "history: {}, backup_labels: {}, wal_file: {})",
                  config->name, rebuilt.added.size(), rebuilt.known_count, counts.history,
                  counts.backup_labels, counts.wal_files));
}

}  // namespace barman::cli
