// The timeline that recovery is told to follow, as recovery_target_timeline of PostgreSQL and
// --target-tli say it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "wal/lsn.h"

namespace barman::wal {

struct TimelineTarget {
  enum class Kind {
    number,
    current,  // that of the backup
    latest,   // the highest that comes from it
  };
  Kind kind = Kind::latest;
  // Of a number only.
  TimelineId timeline{};

  // "3", "current", "latest".
  std::string text() const;
  friend bool operator==(const TimelineTarget&, const TimelineTarget&) = default;
};

// nullopt for anything but a number from 1 to 4294967295 and the two words.
std::optional<TimelineTarget> parse_timeline_target(std::string_view text);

}  // namespace barman::wal
