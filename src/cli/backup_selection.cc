#include "cli/backup_selection.h"

#include <string>
#include <vector>

#include "catalogue/catalogue.h"
#include "catalogue/newest_backup.h"

namespace barman::cli {

catalogue::BackupInfo select_backup(CommandContext& context, const server::Server& server) {
  const std::string& word = context.arguments.get("backup_id");
  if (!catalogue::asks_for_newest(word)) return server.catalogue().resolve(word);
  const catalogue::KnownBackups known = server.catalogue().load();
  std::vector<std::string> passed_over;
  const catalogue::BackupInfo& found =
      catalogue::resolve_backup(known.list, known.annotations, word, server.name(), &passed_over);
  for (const std::string& text : passed_over) context.reporter.warning(text);
  return found;
}

}  // namespace barman::cli
