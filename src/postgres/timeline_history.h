// Timeline history files, "00000003.history": through which timelines a cluster came, and where it
// left each (src/backend/access/transam/timeline.c).
// One line for each ancestor, "1<TAB>0/3000158<TAB>reason".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wal/lsn.h"

namespace barman::postgres {

struct TimelineHistoryEntry {
  wal::TimelineId timeline;
  // The position at which the next timeline begins.
  wal::Lsn switch_lsn;
  std::string reason;
  friend bool operator==(const TimelineHistoryEntry&, const TimelineHistoryEntry&) = default;
};

struct TimelineHistory {
  // The timeline whose file this is.
  wal::TimelineId timeline;
  // Oldest first.
  std::vector<TimelineHistoryEntry> ancestors;

  // Where the history leaves `ancestor`; nullopt when it is not one of the ancestors.
  std::optional<wal::Lsn> switch_point(wal::TimelineId ancestor) const;
  // True for the timeline itself as well.
  bool is_ancestor(wal::TimelineId candidate) const;
  // Whether the position `lsn` on timeline `on` is part of this history.
  bool contains(wal::TimelineId on, wal::Lsn lsn) const;
  // The timeline that holds the byte at `lsn`.
  wal::TimelineId timeline_at(wal::Lsn lsn) const;
};

// Throws `corrupt` like PostgreSQL: malformed lines, timelines not increasing, or not below
// `timeline`. Comments and empty lines are skipped.
TimelineHistory parse_timeline_history(wal::TimelineId timeline, std::string_view text);

}  // namespace barman::postgres
