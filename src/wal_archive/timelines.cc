#include "wal_archive/timelines.h"

#include <fmt/format.h>

#include "base/error.h"
#include "wal/wal_file_name.h"

namespace barman::wal_archive {

using catalogue::BackupInfo;
using catalogue::Branches;
using wal::TimelineId;

namespace {

void require_history(const Branches& branches, TimelineId timeline) {
  if (branches.histories.contains(timeline)) return;
  const auto damage = branches.damaged.find(timeline);
  if (damage != branches.damaged.end()) {
    throw Error(ErrorKind::corrupt,
                fmt::format("Cannot recover to timeline {}: {}", timeline.value, damage->second),
                fmt::format("Put PostgreSQL's copy of {} in its place, or choose another timeline.",
                            wal::history_file_name(timeline)));
  }
  throw Error(ErrorKind::not_found,
              fmt::format("Cannot recover to timeline {}: its history file {} is not in the WAL "
                          "archive",
                          timeline.value, wal::history_file_name(timeline)),
              "Archive the history file from pg_wal of the server, or choose another timeline.");
}

TimelineId find_requested(const Branches& branches, const BackupInfo& backup, TimelineId timeline) {
  if (branches.descends_from(timeline, backup)) return timeline;
  // The first timeline has no history file, and descends from nothing.
  if (timeline.value > 1) require_history(branches, timeline);
  const auto left_at = branches.history_of(timeline).switch_point(timeline_of(backup));
  throw Error(ErrorKind::conflict,
              fmt::format("Cannot recover to timeline {}: it does not descend from backup '{}' on "
                          "timeline {}{}",
                          timeline.value, backup.id.value, timeline_of(backup).value,
                          left_at ? fmt::format(", which ended at {}, behind {}, where that "
                                                "timeline was left",
                                                wal::format_lsn(*backup.end_xlog),
                                                wal::format_lsn(*left_at))
                                  : ""),
              "Choose a backup of an ancestor of that timeline, or let 'auto' choose it.");
}

TimelineId find_present(const Branches& branches, const BackupInfo& backup) {
  const std::optional<TimelineId> present = branches.present();
  if (present && branches.descends_from(*present, backup)) return *present;
  return branches.descendants_of(backup).front();
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

TimelineChoice choose_timeline(const Branches& branches, const BackupInfo& backup,
                               const std::optional<wal::TimelineTarget>& requested,
                               TimelineDefault when_not_given) {
  using Kind = wal::TimelineTarget::Kind;
  const wal::TimelineTarget current{.kind = Kind::current};
  const TimelineId own = timeline_of(backup);
  TimelineChoice choice = {.timeline = own};
  const bool follows =
      requested ? requested->kind == Kind::latest : when_not_given == TimelineDefault::present;
  if (follows) {
    choice.timeline =
        requested ? branches.descendants_of(backup).front() : find_present(branches, backup);
  } else if (requested && requested->kind == Kind::number) {
    choice.timeline = find_requested(branches, backup, requested->timeline);
  }
  const bool is_own = choice.timeline == own;
  choice.hides_own_history = is_own && branches.damaged.contains(own);
  if (follows && choice.timeline != branches.latest_as_postgres_sees_it(own)) {
    choice.setting =
        is_own ? current : wal::TimelineTarget{.kind = Kind::number, .timeline = choice.timeline};
  }
  // PostgreSQL wants the history file of a timeline that is named by its number, and does without
  // that of the timeline on which it begins.
  const bool is_named = requested && requested->kind == Kind::number;
  if (is_own && is_named && own.value > 1 && !branches.histories.contains(own)) {
    choice.setting = current;
  }
  return choice;
}

std::string describe_left_out(const Branches& branches, TimelineId followed) {
  const std::optional<TimelineId> present = branches.present();
  if (!present || *present == followed) return "";
  const std::string problem = branches.history_problem(*present);
  if (problem.empty()) return "";
  return fmt::format(
      "The newest WAL in the archive is of timeline {}, and whether it continues this backup "
      "cannot be told: {}. It is left out, and recovery follows timeline {}. Archive {} from "
      "pg_wal of the server, and restore again.",
      present->value, problem, followed.value, wal::history_file_name(*present));
}

}  // namespace barman::wal_archive
