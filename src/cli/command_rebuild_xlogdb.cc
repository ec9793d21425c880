#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "wal_archive/wal_archive.h"

namespace barman::cli {

void run_rebuild_xlogdb(CommandContext& context) {
  for_each_server(context, [&context](const config::ServerConfig& config) {
    context.reporter.info("Rebuilding xlogdb for server " + config.name);
    const server::Server server = make_server(context, config);
    const wal_archive::RebuildCounts counts =
        wal_archive::WalArchive(server).rebuild_index(server.interrupt());
    context.reporter.info(fmt::format(
        "Done rebuilding xlogdb for server {} (history: {}, backup_labels: {}, wal_file: {})",
        config.name, counts.history, counts.backup_labels, counts.wal_files));
  });
}

}  // namespace barman::cli
