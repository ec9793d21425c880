#include "cloud/cloud_recovery.h"

#include "postgres/versions.h"
#include "restore/recovery_settings.h"
#include "restore/recovery_target.h"

namespace barman::cloud {

CloudRecoveryFiles plan_cloud_recovery(const CloudRecovery& recovery,
                                       const catalogue::BackupInfo& backup) {
  restore::refuse_multiple_targets(recovery.target);
  const restore::RecoveryTarget target = restore::parse_target(recovery.target);
  restore::refuse_impossible_target(target, backup);
  const int version = backup.version.value_or(postgres::kVersion12);
  CloudRecoveryFiles files;
  files.settings_file = version < postgres::kVersion12 ? "recovery.conf" : "postgresql.auto.conf";
  files.settings = restore::format_recovery_settings({.server_name = {},
                                                      .barman_user = {},
                                                      .server_version = version,
                                                      .target = target,
                                                      .standby_mode = recovery.standby_mode,
                                                      .get_wal = true,
                                                      .restore_command = recovery.restore_command});
  if (version >= postgres::kVersion12) {
    files.signal_file = recovery.standby_mode ? "standby.signal" : "recovery.signal";
  }
  return files;
}

}  // namespace barman::cloud
