#include "catalogue/keep_rules.h"

#include <fmt/format.h>

namespace barman::catalogue {

std::optional<std::string> find_keep_refusal(const BackupInfo& backup) {
  if (backup.status != BackupStatus::done) {
    return fmt::format(
        "Cannot add keep to backup {} because it has status {}. Only backups with status DONE can "
        "be kept.",
        backup.id.value, status_text(backup.status));
  }
  if (backup.is_incremental()) {
    return fmt::format(
        "Unable to execute the keep command on backup {}: is an incremental backup.\n"
        "Only full backups are eligible for the use of the keep command.",
        backup.id.value);
  }
  return std::nullopt;
}

}  // namespace barman::catalogue
