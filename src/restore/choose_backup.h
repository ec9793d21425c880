// Which backup is restored. Pure.
#pragma once

#include <string>
#include <vector>

#include "catalogue/backup_info.h"
#include "catalogue/branches.h"
#include "catalogue/catalogue.h"
#include "restore/recovery_target.h"

namespace barman::restore {

// For BACKUP_ID `auto`: targets that cannot choose a backup are refused.
void refuse_target_for_automatic_choice(const TargetRequest& request);

struct BackupChoice {
  catalogue::BackupInfo backup;
  // Newer backups that were passed over: those of other branches, and those that cannot be
  // restored.
  std::vector<std::string> notes;
  std::vector<std::string> warnings;
};

// The newest usable backup from which the target can be reached on the timeline asked for; without
// one, on the way to the present. `list` ascending by ID.
BackupChoice choose_backup(const catalogue::BackupList& list,
                           const catalogue::Annotations& annotations, const RecoveryTarget& target,
                           const catalogue::Branches& branches);

}  // namespace barman::restore
