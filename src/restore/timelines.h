// The timelines that the WAL archive knows, and which of them descend from a backup. Numbers say
// nothing about descent: only timeline history files do.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "catalogue/backup_info.h"
#include "postgres/timeline_history.h"
#include "wal/lsn.h"

namespace barman::restore {

struct ArchivedTimelines {
  // From the archived history files.
  std::map<wal::TimelineId, postgres::TimelineHistory> histories;
  // The highest timeline that has an archived segment.
  std::optional<wal::TimelineId> newest_with_segment;

  // Whether the end of `backup` lies on the way to `timeline`.
  bool descends_from(wal::TimelineId timeline, const catalogue::BackupInfo& backup) const;
  // The highest one that does; the timeline of the backup when there is no other.
  wal::TimelineId newest_descendant(const catalogue::BackupInfo& backup) const;
  // What PostgreSQL takes for "latest": it asks for the history files of consecutive timelines,
  // beginning after its own, until one is missing.
  wal::TimelineId latest_as_postgres_sees_it(wal::TimelineId from) const;
  // Of a timeline without history file: one without ancestors.
  postgres::TimelineHistory history_of(wal::TimelineId timeline) const;
};

// The timeline of the end of the backup. Throws `corrupt` when backup.info does not tell.
wal::TimelineId timeline_of(const catalogue::BackupInfo& backup);

// The timeline whose WAL is copied.
struct TimelineChoice {
  wal::TimelineId timeline;
  // PostgreSQL would go elsewhere by itself: the timeline must be named in its settings.
  bool must_be_written = false;
};

enum class TimelineDefault { own, latest };

// `requested` is what --target-tli said; without it `when_not_given` counts. Throws when a number
// names a timeline that the archive does not know, or that does not descend from the backup.
TimelineChoice choose_timeline(const ArchivedTimelines& timelines,
                               const catalogue::BackupInfo& backup,
                               const std::optional<std::string>& requested,
                               TimelineDefault when_not_given);

}  // namespace barman::restore
