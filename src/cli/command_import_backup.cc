#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/shown_work.h"
#include "transfer/import_backup.h"

namespace barman::cli {

void run_import_backup(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  const server::Server server = make_server(context, *config);
  const std::string& tarball = context.arguments.get("tarball");
  const bool is_local = server.locations().has_local_backups;
  const ShownWork work = {
      .task = "import-backup",
      .object = "from " + tarball,
      .remains = is_local
                     ? "Nothing of it is left in the catalogue; give the same command to begin "
                       "anew."
                     : "It is no backup that can be restored: what was uploaded is removed, or "
                       "stays as a backup that has FAILED. Give the same command to begin "
                       "anew."};
  const catalogue::BackupId id = run_shown(context, server, work, [&](Progress& progress) {
    return transfer::import_backup(server, tarball, context.reporter, progress);
  });
  context.reporter.info(
      fmt::format("Successfully imported backup '{}' into server '{}'", id.value, server.name()));
}

}  // namespace barman::cli
