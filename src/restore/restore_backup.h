// Restore: base backup, WAL and recovery settings of one backup into a directory of this host. This
// folder plans first (build_plan.h, pure) and then acts (execute_plan.h).
//
// The backup is protected by a shared lock on its ID while it is read: several restores may run,
// deletion and retention find the lock taken and leave the backup alone. A restore that fails or is
// killed leaves a directory without global/pg_control, on which PostgreSQL does not start.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/timestamp.h"
#include "restore/recovery_target.h"
#include "restore/restore_plan.h"
#include "restore/restore_request.h"
#include "restore/server_settings.h"
#include "server/server.h"

namespace barman::restore {

struct RestoreResult {
  std::vector<SettingNote> changes;
  std::vector<SettingNote> warnings;
  // Configuration files every cluster has that were not in the backup.
  std::vector<std::string> missing_files;
  // How to start a cluster whose configuration lay outside of the data directory.
  std::vector<std::string> start_advice;
  bool uses_get_wal = false;
  // The file with the recovery settings; "" when there are none.
  std::string settings_file;
  // What recovery will do when it is started.
  RecoveryTarget target;
  // Where it ends, as RestorePlan::end_text.
  std::string end_text;
  bool is_standby = false;
  // As ConfigurationReview::hot_standby_off.
  std::optional<SettingNote> hot_standby_off;
  Timestamp begin_time;
  double elapsed_seconds = 0;
};

// What restore_backup() would do, or its refusal. Changes nothing; WAL that waits to be archived is
// not counted.
RestorePlan plan_restore(const server::Server& server, const RestoreRequest& request);

// Throws with a message that says why; before the messages "Starting local restore …" nothing has
// been touched.
RestoreResult restore_backup(const server::Server& server, const RestoreRequest& request,
                             Messages& messages, Progress& progress);

}  // namespace barman::restore
