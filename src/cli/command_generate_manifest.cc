#include "backup/generate_manifest.h"

#include <fmt/format.h>

#include "cli/backup_selection.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/shown_work.h"

namespace barman::cli {

void run_generate_manifest(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  const std::string& word = context.arguments.get("backup_id");
  const server::Server server = make_server(context, *config);
  const catalogue::BackupInfo backup = select_backup(context, server);
  const ShownWork work = {
      .task = "generate-manifest",
      .object = "of " + backup.id.value,
      .remains = fmt::format("No manifest was written: 'barman generate-manifest {} {}' begins "
                             "anew.",
                             server.name(), backup.id.value)};
  run_shown(context, server, work, [&](Progress& progress) {
    backup::generate_manifest(server, backup, {}, progress, context.interrupt);
  });
  context.reporter.info(fmt::format(
      "Backup manifest for backup '{}' successfully generated for server {}", word, config->name));
}

}  // namespace barman::cli
