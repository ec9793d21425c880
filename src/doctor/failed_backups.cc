#include "doctor/failed_backups.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "backup/delete_backup.h"

namespace barman::doctor {

using catalogue::BackupInfo;
using catalogue::BackupStatus;

std::vector<BackupInfo> list_superseded_failures(const std::vector<BackupInfo>& backups,
                                                 const catalogue::Annotations& annotations) {
  std::optional<catalogue::BackupId> newest_good;
  for (const BackupInfo& backup : backups) {
    if (backup.status == BackupStatus::done) newest_good = backup.id;
  }
  std::vector<BackupInfo> superseded;
  if (!newest_good) return superseded;
  for (const BackupInfo& backup : backups) {
    const bool is_parent =
        std::any_of(backups.begin(), backups.end(),
                    [&](const BackupInfo& other) { return other.parent_backup_id == backup.id; });
    if (backup.status != BackupStatus::failed || is_parent || !(backup.id < *newest_good)) continue;
    if (annotations.keeps.contains(backup.id)) continue;
    superseded.push_back(backup);
  }
  return superseded;
}

void remove_superseded_failures(const server::Server& server, Messages& messages) {
  const catalogue::KnownBackups known = server.catalogue().load();
  for (const BackupInfo& backup : list_superseded_failures(known.list.backups, known.annotations)) {
    messages.info(fmt::format("Deleting FAILED backup {} of server {}: a later one is DONE",
                              backup.id.value, server.name()));
    backup::delete_backup(server, backup, messages);
  }
}

}  // namespace barman::doctor
