#include <fmt/format.h>

#include "base/text.h"
#include "catalogue/server_warnings.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/table_style.h"
#include "stored/kept_configuration.h"
#include "wal_transfer/backup_wals.h"

namespace barman::cli {

void run_check_backup(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  const server::Server server = make_server(context, *config);
  const catalogue::BackupInfo info = server.catalogue().resolve(context.arguments.get("backup_id"));
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
