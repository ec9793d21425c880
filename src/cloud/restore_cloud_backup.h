// A backup in a bucket becomes a data directory on this host. Nothing is staged: archives are
// unpacked where they belong, several at once.
//
// Without a recovery that is asked for, all files are as they were backed up, but for settings that
// would lead the cluster to the files of its old place, where configuration that lay outside of the
// data directory lies in it now. With one its settings are written, and all settings that would do
// harm in the restored cluster are reviewed, as `barman restore` does.
//
// Over a directory that is there already: restore_over.h.
//
// Until everything is there and durable, each directory that is written has `.barman-restoring` and
// the data directory no `global/pg_control`, so that no server starts in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/interrupt.h"
#include "base/progress.h"
#include "base/timestamp.h"
#include "catalogue/backup_info.h"
#include "cloud/bucket_names.h"
#include "cloud/cloud_recovery.h"
#include "restore/review_configuration.h"
#include "wal/lsn.h"

namespace barman::cloud {

struct CloudRestoreRequest {
  catalogue::BackupId id;
  std::filesystem::path destination;
  // By name of the tablespace; names that the backup does not have are passed over.
  std::map<std::string, std::filesystem::path> locations = {};
  std::size_t jobs = 2;
  Interrupt interrupt = {};
  std::optional<CloudRecovery> recovery = {};
  // Over a data directory of the same cluster that is there: only what differs is read and written.
  bool delta_restore = false;
  // Archives the file whose name comes behind it.
  std::string archive_command = {};
  // Hears of the bytes that come from the bucket; may be nullptr.
  Progress* progress = nullptr;
};

// `missing_files` and `settings_file` of the recovery that was asked for; empty without one.
struct CloudRestoreResult {
  restore::ConfigurationReview configuration = {};
  std::vector<std::string> missing_files = {};
  std::string settings_file = {};
  // Of a restore over a directory: how much of it was right already, and of how much (0 = unknown).
  std::optional<std::uint64_t> kept_bytes = {};
  std::uint64_t total_bytes = 0;
};

// Throws OperationFailed when there is no such backup, when it cannot be restored, and when the
// places are not empty and it is no delta restore; `corrupt` when what is in the bucket is damaged;
// `usage` for a target that the backup cannot reach.
CloudRestoreResult restore_cloud_backup(const CloudCatalogue& catalogue,
                                        const CloudRestoreRequest& request);

// BACKUP_ID `auto`.
struct RecoveryGoal {
  std::optional<Timestamp> time = {};
  std::optional<wal::Lsn> lsn = {};
  std::optional<wal::TimelineId> timeline = {};
};
// The newest complete backup from which the goal can be reached; nullopt when there is none. Pure.
std::optional<catalogue::BackupId> choose_cloud_backup(const CloudBackups& backups,
                                                       const RecoveryGoal& goal);

}  // namespace barman::cloud
