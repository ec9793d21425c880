// Which timeline a restore follows, and how PostgreSQL is told (docs/branches.md).
#pragma once

#include <optional>

#include "catalogue/backup_info.h"
#include "catalogue/branches.h"
#include "wal/lsn.h"
#include "wal/timeline_target.h"

namespace barman::wal_archive {

// The timeline of the end of the backup. Throws `corrupt` when backup.info does not tell.
wal::TimelineId timeline_of(const catalogue::BackupInfo& backup);

// The timeline whose WAL is copied.
struct TimelineChoice {
  wal::TimelineId timeline;
  // PostgreSQL would go elsewhere by itself, or not find a history file that it does not need: what
  // its settings must say instead of what the user asked for.
  std::optional<wal::TimelineTarget> setting;
  // Its own history file is damaged: PostgreSQL must not see it.
  bool hides_own_history = false;
};

enum class TimelineDefault {
  own,      // that of the backup
  present,  // where the cluster is now, else the highest that descends from the backup
};

// `requested` is what --target-tli said; without it `when_not_given` counts. Throws when a number
// names a timeline whose history is not known, or that does not descend from the backup. Files of
// timelines that recovery does not come to may be missing or damaged.
TimelineChoice choose_timeline(const catalogue::Branches& branches,
                               const catalogue::BackupInfo& backup,
                               const std::optional<wal::TimelineTarget>& requested,
                               TimelineDefault when_not_given);

// That the newest WAL belongs to a timeline whose history file is missing or damaged, so that a
// recovery along `followed` leaves it out; "" when that is not so.
std::string describe_left_out(const catalogue::Branches& branches, wal::TimelineId followed);

}  // namespace barman::wal_archive
