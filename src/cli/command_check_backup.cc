#include <fmt/format.h>

#include "base/error.h"
#include "base/hint.h"
#include "base/text.h"
#include "catalogue/server_warnings.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/table_style.h"
#include "stored/backup_chain.h"
#include "stored/kept_configuration.h"
#include "stored/restorable.h"
#include "wal_transfer/backup_wals.h"

namespace barman::cli {
namespace {

// WAL is of no use without the files of the backup, and of those that it builds on: what has lost
// them must not become DONE. False: told.
bool has_files(CommandContext& context, const server::Server& server,
               const catalogue::BackupInfo& backup) {
  if (!backup.is_copy_done() || backup.type() == catalogue::BackupType::snapshot) return true;
  try {
    for (const catalogue::BackupInfo& link : stored::list_chain(server.catalogue(), backup)) {
      stored::require_files(server.catalogue(), link);
    }
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::corrupt && error.kind() != ErrorKind::not_found) throw;
    context.reporter.error(with_hint(
        error.describe(), fmt::format("Its status stays {}. Restore another backup; 'barman "
                                      "catalogue-check {}' tells what can be recovered.",
                                      catalogue::status_text(backup.status), server.name())));
    return false;
  }
}

}  // namespace

void run_check_backup(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  const server::Server server = make_server(context, *config);
  const catalogue::BackupInfo info =
      server.catalogue().resolve_to_judge(context.arguments.get("backup_id"));
  if (!has_files(context, server, info)) return;
  wal_transfer::check_backup_wals(server, info.id, context.reporter);
  const stored::KeptSurvey kept = stored::survey_kept_configuration(server.catalogue(), info.id);
  for (const auto& [name, problem] : kept.problems) {
    context.reporter.warning(
        fmt::format("The configuration file '{}' that was kept with backup {} {}", name,
                    info.id.value, problem));
  }
  if (is_for_people(context) && !kept.names.empty()) {
    context.reporter.info(fmt::format(
        "Configuration files from outside of the data directory are kept with backup {}: {}",
        info.id.value, join(kept.names, ", ")));
  }
  for (const std::string& warning :
       catalogue::list_server_warnings(server.catalogue().base_directory(info.id))) {
    context.reporter.warning(
        fmt::format("PostgreSQL said while it sent backup {}: {}", info.id.value, warning));
  }
}

}  // namespace barman::cli
