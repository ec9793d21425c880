#include <fmt/format.h>

#include "cli/backup_selection.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/shown_work.h"
#include "facts/diagnosis.h"
#include "output/diagnosis_views.h"
#include "transfer/export_backup.h"

namespace barman::cli {

void run_export_backup(CommandContext& context) {
  const ParsedArguments& arguments = context.arguments;
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  const server::Server server = make_server(context, *config);
  const catalogue::BackupInfo backup = select_backup(context, server);
  transfer::ExportRequest request = {
      .backup_word = arguments.get("backup_id"),
      .output_directory = arguments.get("output_directory"),
      .program_facts = output::dump(output::system_json(facts::gather_system_facts(), now_local()),
                                    {.indent = 4})};
  const std::optional<std::string> compression = arguments.find("compression");
  const std::optional<std::string> level = arguments.find("compression_level");
  if (compression) request.compression = compression::parse_algorithm(*compression);
  if (level && !request.compression) {
    throw Error(ErrorKind::usage, "--compression-level requires --compression to be set",
                "Add --compression gzip, bzip2 or xz.");
  }
  if (level) request.compression_level = transfer::parse_export_level(*request.compression, *level);
  const ShownWork work = {
      .task = "export-backup",
      .object = fmt::format("of {} into {}", backup.id.value, request.output_directory.string()),
      .remains = fmt::format("Nothing is left in \"{}\"; give the same command to begin anew.",
                             request.output_directory.string())};
  const std::filesystem::path file = run_shown(context, server, work, [&](Progress& progress) {
    return transfer::export_backup(server, backup, request, context.reporter, progress);
  });
  context.reporter.info(fmt::format("Export completed successfully: {}", file.string()));
}

}  // namespace barman::cli
