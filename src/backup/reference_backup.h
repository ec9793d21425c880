// The earlier backup whose files a new one may use again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalogue/backup_info.h"
#include "stored/backup_store.h"

namespace barman::backup {

struct ReferenceBackup {
  std::optional<catalogue::BackupInfo> backup;
  // Why the previous backup cannot be one; empty when there is none, or when it is one.
  std::string refusal;
};

// The previous usable backup, when its files lie in the catalogue as they were in the cluster.
ReferenceBackup find_reference(const stored::BackupStore& store,
                               const std::vector<catalogue::BackupInfo>& backups,
                               const catalogue::BackupInfo& next);

// Backups that have failed since the previous usable one, newest first: what has arrived of them
// need not be copied again. Nothing is known of their files; whoever uses one compares it.
std::vector<catalogue::BackupInfo> list_unfinished(
    const stored::BackupStore& store, const std::vector<catalogue::BackupInfo>& backups,
    const catalogue::BackupInfo& next);

}  // namespace barman::backup
