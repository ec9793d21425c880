// Which backup is restored (contract restore.md 3). Pure.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "catalogue/backup_info.h"
#include "restore/recovery_target.h"
#include "restore/timelines.h"

namespace barman::restore {

// For BACKUP_ID `auto`: targets that cannot choose a backup are refused.
void refuse_target_for_automatic_choice(const TargetRequest& request);

// The newest usable backup that the target can be reached from. `backups` ascending by ID.
const catalogue::BackupInfo& choose_backup(const std::vector<catalogue::BackupInfo>& backups,
                                           const std::set<catalogue::BackupId>& being_deleted,
                                           const RecoveryTarget& target,
                                           const ArchivedTimelines& timelines);

}  // namespace barman::restore
