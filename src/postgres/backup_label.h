// `backup_label`: the file that tells PostgreSQL from which checkpoint it must recover a base
// backup (src/backend/access/transam/xlogbackup.c, build_backup_content).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/timestamp.h"
#include "wal/lsn.h"

namespace barman::postgres {

struct BackupLabel {
  wal::Lsn start_wal_location;
  // The segment that holds it.
  std::string start_wal_file;
  wal::Lsn checkpoint_location;
  // "streamed" or "pg_start_backup".
  std::string backup_method;
  // "primary" or "standby".
  std::string backup_from;
  // In the zone of the server's log; absent when the zone is an abbreviation we do not know.
  std::optional<Timestamp> start_time;
  std::string start_time_text;
  std::string label;
  // Since PostgreSQL 11; before, from the name of the segment.
  wal::TimelineId start_timeline;
  // Block incremental backups, since 17.
  std::optional<wal::Lsn> incremental_from_lsn;
  std::optional<wal::TimelineId> incremental_from_timeline;
};

// Throws `corrupt` when a line that PostgreSQL needs is missing or malformed.
BackupLabel parse_backup_label(std::string_view text);

// The label of the complete backup that an incremental one is restored to.
std::string without_incremental_lines(std::string_view text);

}  // namespace barman::postgres
