#include <string>
#include <vector>

#include <fmt/format.h>

#include "backup/delete_backup.h"
#include "base/error.h"
#include "base/text.h"
#include "catalogue/newest_backup.h"
#include "cli/commands.h"
#include "cli/dry_run.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"

namespace barman::cli {
namespace {

// Who means the newest one must not lose the one before it, since the newest cannot be restored.
catalogue::BackupInfo find_doomed(const server::Server& server, const std::string& word) {
  if (!catalogue::asks_for_newest(word)) return server.catalogue().resolve(word);
  const catalogue::KnownBackups known = server.catalogue().load();
  std::vector<std::string> passed_over;
  const catalogue::BackupInfo& found =
      catalogue::resolve_backup(known.list, known.annotations, word, server.name(), &passed_over);
  if (passed_over.empty()) return found;
  throw Error(
      ErrorKind::conflict,
      fmt::format("'{}' does not tell which backup is to be deleted: {}", word,
                  join(passed_over, " ")),
      fmt::format("Name it by its ID: the newest one that can be restored is {}.", found.id.value));
}

}  // namespace

void run_delete(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  const server::Server server = make_server(context, *config);
  const catalogue::BackupInfo info = find_doomed(server, context.arguments.get("backup_id"));
  if (context.arguments.is_set("dry_run")) return preview_delete(context, server, info);
  if (!backup::delete_backup(server, info, context.reporter)) context.reporter.mark_failed();
}

}  // namespace barman::cli
