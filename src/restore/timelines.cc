#include "restore/timelines.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "wal/wal_file_name.h"

namespace barman::restore {

using catalogue::BackupInfo;
using wal::TimelineId;

namespace {

TimelineChoice choose_number(const ArchivedTimelines& timelines, const BackupInfo& backup,
                             const std::string& text) {
  const std::optional<std::int64_t> number = parse_integer(text);
  if (!number || *number <= 0 || *number > 0xFFFFFFFFLL) {
    throw Error(ErrorKind::usage, fmt::format("Invalid timeline '{}'", text),
                "Give a positive number, 'current' or 'latest'.");
  }
  const TimelineId timeline{static_cast<std::uint32_t>(*number)};
  if (timelines.descends_from(timeline, backup)) return {.timeline = timeline};
  if (timeline > timeline_of(backup) && !timelines.histories.contains(timeline)) {
    throw Error(ErrorKind::not_found,
                fmt::format("Cannot recover to timeline {}: its history file {} is not in the WAL "
                            "archive",
                            timeline.value, wal::history_file_name(timeline)),
                "Archive the history file from pg_wal of the server, or choose another timeline.");
  }
  throw Error(ErrorKind::conflict,
              fmt::format("Cannot recover to timeline {}: it does not descend from backup '{}' on "
                          "timeline {}",
                          timeline.value, backup.id.value, timeline_of(backup).value),
              "Choose a backup of an ancestor of that timeline, or let 'auto' choose it.");
}

TimelineChoice choose_latest(const ArchivedTimelines& timelines, const BackupInfo& backup) {
  const TimelineId chosen = timelines.newest_descendant(backup);
  const TimelineId expected = timelines.latest_as_postgres_sees_it(timeline_of(backup));
  return {.timeline = chosen, .must_be_written = chosen != expected};
}

}  // namespace

TimelineId timeline_of(const BackupInfo& backup) {
  const std::optional<TimelineId> timeline = backup.wal_timeline();
  if (!timeline) {
    throw Error(ErrorKind::corrupt,
                fmt::format("backup '{}' does not tell its timeline", backup.id.value),
                "Look at its backup.info: timeline and begin_wal are missing.");
  }
  return *timeline;
}

postgres::TimelineHistory ArchivedTimelines::history_of(TimelineId timeline) const {
  const auto found = histories.find(timeline);
  if (found != histories.end()) return found->second;
  return {.timeline = timeline, .ancestors = {}};
}

bool ArchivedTimelines::descends_from(TimelineId timeline, const BackupInfo& backup) const {
  const TimelineId own = timeline_of(backup);
  if (timeline == own) return true;
  const auto found = histories.find(timeline);
  if (found == histories.end()) return false;
  const std::optional<wal::Lsn> left_at = found->second.switch_point(own);
  // A backup that goes beyond the fork holds changes that the new timeline never had.
  return left_at && (!backup.end_xlog || *backup.end_xlog <= *left_at);
}

TimelineId ArchivedTimelines::newest_descendant(const BackupInfo& backup) const {
  for (auto entry = histories.rbegin(); entry != histories.rend(); ++entry) {
    if (descends_from(entry->first, backup)) return entry->first;
  }
  return timeline_of(backup);
}

TimelineId ArchivedTimelines::latest_as_postgres_sees_it(TimelineId from) const {
  TimelineId newest = from;
  while (histories.contains(TimelineId{newest.value + 1})) ++newest.value;
  return newest;
}

TimelineChoice choose_timeline(const ArchivedTimelines& timelines, const BackupInfo& backup,
                               const std::optional<std::string>& requested,
                               TimelineDefault when_not_given) {
  if (requested && *requested != "latest" && *requested != "current") {
    return choose_number(timelines, backup, *requested);
  }
  const bool wants_latest =
      requested ? *requested == "latest" : when_not_given == TimelineDefault::latest;
  if (wants_latest) return choose_latest(timelines, backup);
  return {.timeline = timeline_of(backup)};
}

}  // namespace barman::restore
