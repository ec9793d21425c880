// Results about backups: list-backups and show-backup.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/timestamp.h"
#include "catalogue/backup_info.h"
#include "catalogue/retention.h"
#include "output/reporter.h"
#include "output/server_views.h"
#include "wal_archive/wal_statistics.h"

namespace barman::output {

// What follows the status of a backup whose copy is complete.
struct BackupListSizes {
  // Its begin when the end is not known; nullopt when neither is.
  std::optional<Timestamp> end_time;
  // With the WAL that it needs to be consistent.
  std::uint64_t size_bytes = 0;
  // How much of it is that WAL.
  std::uint64_t own_wal_size_bytes = 0;
  // From there to the end of the next backup.
  std::uint64_t wal_size_bytes = 0;
};

struct BackupListRow {
  catalogue::BackupId id;
  std::optional<std::string> name;
  catalogue::BackupType type = catalogue::BackupType::full;
  catalogue::BackupStatus status = catalogue::BackupStatus::empty;
  std::optional<BackupListSizes> sizes;
  // It does not lead to the present; for tables.
  bool is_abandoned = false;
  // False: files of it, or of a backup that it builds on, are missing; for tables.
  bool is_restorable = true;
  // none also without a retention policy.
  catalogue::RetentionStatus retention = catalogue::RetentionStatus::none;
};

// `rows` newest first. The minimal style needs the IDs only.
void write_backup_list(Reporter& reporter, std::string_view server,
                       const std::vector<BackupListRow>& rows, ListStyle style);

// The place of an incremental backup below its root.
struct ShownChain {
  catalogue::BackupId root;
  catalogue::BackupId parent;
  // Backups from the root to this one, both included.
  std::uint64_t size = 0;
};

struct BackupDetails {
  catalogue::BackupInfo backup;
  wal_archive::WalStatistics wal;
  // Timelines that fork from the backup's own after its end.
  std::vector<wal::TimelineId> reachable_timelines;
  // Of a backup that does not lead to the present: why. Else "".
  std::string abandoned;
  // nullopt without a retention policy.
  std::optional<catalogue::RetentionStatus> retention;
  std::optional<catalogue::BackupId> previous;
  std::optional<catalogue::BackupId> next;
  std::optional<ShownChain> chain;
  std::vector<catalogue::BackupId> children;
};

void write_backup_details(Reporter& reporter, std::string_view server,
                          const BackupDetails& details);

}  // namespace barman::output
