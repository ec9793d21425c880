#include "backup/generate_manifest.h"

#include <fmt/format.h>

#include "cli/backup_selection.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/shown_work.h"

namespace barman::cli {
namespace {

// verify-backup would say of a part that it is the whole.
void require_complete(const server::Server& server, const catalogue::BackupInfo& backup) {
  if (backup.is_copy_done()) return;
  const bool is_failed = backup.status == catalogue::BackupStatus::failed;
  throw Error(ErrorKind::conflict,
              fmt::format("Cannot generate the manifest of backup '{}' of server '{}': its status "
                          "is {}",
                          backup.id.value, server.name(), catalogue::status_text(backup.status)),
              is_failed
                  ? fmt::format("Its files are not complete. Take a new one: barman backup {}",
                                server.name())
                  : "Only a complete backup gets one: run this again when it is done.");
}

}  // namespace

void run_generate_manifest(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  const std::string& word = context.arguments.get("backup_id");
  const server::Server server = make_server(context, *config);
  const catalogue::BackupInfo backup = select_backup(context, server);
  require_complete(server, backup);
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
