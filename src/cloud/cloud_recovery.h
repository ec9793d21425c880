// What PostgreSQL is to do with a data directory that was restored from a bucket: settings that
// fetch WAL from there, and the target. The rules and texts are those of restore/.
#pragma once

#include <string>

#include "catalogue/backup_info.h"
#include "restore/restore_request.h"

namespace barman::cloud {

struct CloudRecovery {
  restore::TargetRequest target = {};
  bool standby_mode = false;
  // Of PostgreSQL, with %f and %p.
  std::string restore_command = {};
};

// Files of the data directory.
struct CloudRecoveryFiles {
  std::string settings_file;
  std::string settings;
  std::string signal_file;  // "" = none, before PostgreSQL 12
};

// Throws `usage` for a target that cannot be read, or that the backup cannot reach.
CloudRecoveryFiles plan_cloud_recovery(const CloudRecovery& recovery,
                                       const catalogue::BackupInfo& backup);

}  // namespace barman::cloud
