// A backup in a bucket becomes a data directory on this host. Nothing is staged: archives are
// unpacked where they belong, several at once.
//
// Until everything is there and durable, each directory that is written has `.barman-restoring` and
// the data directory no `global/pg_control`, so that no server starts in it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/interrupt.h"
#include "base/timestamp.h"
#include "catalogue/backup_info.h"
#include "cloud/bucket_names.h"
#include "wal/lsn.h"

namespace barman::cloud {

struct CloudRestoreRequest {
  catalogue::BackupId id;
  std::filesystem::path destination;
  // By name of the tablespace; names that the backup does not have are passed over.
  std::map<std::string, std::filesystem::path> locations = {};
  std::size_t jobs = 2;
  Interrupt interrupt = {};
};

// Throws OperationFailed when there is no such backup, when it cannot be restored, and when the
// places are not empty; `corrupt` when what is in the bucket is damaged.
void restore_cloud_backup(const CloudCatalogue& catalogue, const CloudRestoreRequest& request);

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
