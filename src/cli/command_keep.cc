#include "catalogue/keep_rules.h"
#include "cli/backup_selection.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "output/server_views.h"

namespace barman::cli {
namespace {

using catalogue::KeepTarget;

void show(CommandContext& context, const server::Server& server, const catalogue::BackupId& id) {
  const std::optional<KeepTarget> target = server.catalogue().find_keep(id);
  output::write_status(
      context.reporter, server.name(),
      {{.key = "keep_status",
        .label = "Keep",
        .message = target ? std::string(catalogue::keep_text(*target)) : "nokeep"}});
}

// Under the shared lock of the backup, as a restore has it: a deletion holds the lock alone, so
// that either the keep is there before the deletion begins, or the backup is refused here.
void set_keep(const server::Server& server, const catalogue::BackupId& id,
              const std::string& target) {
  if (server.catalogue().is_being_deleted(id)) {
    throw Error(ErrorKind::conflict,
                "Cannot add keep to backup " + id.value + " because it is being deleted.",
                "Choose another one of 'barman list-backups " + server.name() + "'.");
  }
  const FileLock lock = server::share_backup(server, id, "keep");
  const catalogue::BackupInfo backup = server.catalogue().load_backup(id);
  if (const std::optional<std::string> refusal = catalogue::find_keep_refusal(backup)) {
    throw Error(ErrorKind::conflict, *refusal);
  }
  server.catalogue().write_keep(id,
                                target == "standalone" ? KeepTarget::standalone : KeepTarget::full);
}

}  // namespace

void run_keep(CommandContext& context) {
  const ParsedArguments& arguments = context.arguments;
  const std::optional<std::string> target = arguments.find("target");
  if (!arguments.is_set("status") && !arguments.is_set("release") && !target) {
    throw Error(ErrorKind::usage,
                "one of the arguments -r/--release -s/--status --target is required",
                "--target full keeps it with all WAL behind it, --target standalone by itself.");
  }
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  const server::Server server = make_server(context, *config);
  const catalogue::BackupInfo backup = select_backup(context, server);
  if (arguments.is_set("status")) return show(context, server, backup.id);
  if (arguments.is_set("release")) return server.catalogue().remove_keep(backup.id);
  set_keep(server, backup.id, *target);
}

}  // namespace barman::cli
