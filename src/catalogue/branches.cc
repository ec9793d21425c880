#include "catalogue/branches.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>

namespace barman::catalogue {

using postgres::TimelineHistory;
using postgres::TimelineHistoryEntry;
using wal::TimelineId;

namespace {

constexpr wal::Lsn kOpenEnd{UINT64_MAX};

// A way from the first timeline to one: each with where it is left, the last one with an open end.
using Way = std::vector<std::pair<TimelineId, wal::Lsn>>;

Way way_to(const TimelineHistory& history) {
  Way way;
  for (const TimelineHistoryEntry& entry : history.ancestors) {
    way.emplace_back(entry.timeline, entry.switch_lsn);
  }
  way.emplace_back(history.timeline, kOpenEnd);
  return way;
}

Standing unknown(std::string reason) {
  return {.kind = Standing::Kind::unknown, .reason = std::move(reason)};
}

// Where two ways part that are not one the beginning of the other; `to_present` is the living one.
Standing parting_of(const Way& to_backup, const Way& to_present) {
  std::size_t at = 0;
  const std::size_t shorter = std::min(to_backup.size(), to_present.size());
  while (at < shorter && to_backup[at] == to_present[at]) ++at;
  at = std::min(at, shorter - 1);
  Standing standing = {.kind = Standing::Kind::abandoned,
                       .backup_branch = to_backup[at].first,
                       .living_branch = to_present[at].first};
  if (to_backup[at].first != to_present[at].first) {
    // Both left one timeline at one point; or they have nothing in common, and part before anything
    // was written.
    if (at > 0) std::tie(standing.parting_timeline, standing.parting_lsn) = to_backup[at - 1];
    return standing;
  }
  standing.parting_timeline = to_backup[at].first;
  standing.parting_lsn = std::min(to_backup[at].second, to_present[at].second);
  // Who leaves first takes the next timeline of its way; the other one stays for a while.
  const auto after = [&](const Way& way) {
    const bool leaves = way[at].second == standing.parting_lsn && at + 1 < way.size();
    return leaves ? way[at + 1].first : way[at].first;
  };
  standing.backup_branch = after(to_backup);
  standing.living_branch = after(to_present);
  return standing;
}

class Picture {
 public:
  Picture(const Branches& branches, const std::vector<BackupInfo>& backups)
      : branches_(branches), backups_(backups) {}

  std::vector<BranchRow> draw() {
    list_timelines();
    place_backups();
    for (const auto& [timeline, row] : rows_) {
      if (!row.parent) add_with_children(timeline, 0);
    }
    return std::move(drawn_);
  }

 private:
  void list_timelines() {
    std::set<TimelineId> known;
    for (const auto& [timeline, history] : branches_.histories) {
      known.insert(timeline);
      for (const TimelineHistoryEntry& entry : history.ancestors) known.insert(entry.timeline);
    }
    for (const auto& [timeline, reason] : branches_.damaged) known.insert(timeline);
    for (const auto& [timeline, segment] : branches_.last_segments) known.insert(timeline);
    for (const BackupInfo& backup : backups_) {
      const std::optional<TimelineId> timeline = backup.wal_timeline();
      if (timeline && backup.is_copy_done()) known.insert(*timeline);
    }
    const std::optional<TimelineId> present = branches_.present();
    const TimelineHistory living = branches_.history_of(present.value_or(TimelineId{}));
    for (const TimelineId timeline : known) {
      BranchRow row = {.timeline = timeline};
      const TimelineHistory history = branches_.history_of(timeline);
      if (!history.ancestors.empty()) {
        row.parent = history.ancestors.back().timeline;
        row.forked_at = history.ancestors.back().switch_lsn;
      }
      row.history_problem = branches_.history_problem(timeline);
      row.is_present = present == timeline;
      row.is_on_living_path = present && living.is_ancestor(timeline);
      if (!row.is_present && row.is_on_living_path) {
        row.left_at = living.switch_point(timeline);
        const Way way = way_to(living);
        for (std::size_t i = 0; i + 1 < way.size(); ++i) {
          if (way[i].first == timeline) row.left_for = way[i + 1].first;
        }
      }
      const auto last = branches_.last_segments.find(timeline);
      if (last != branches_.last_segments.end()) row.last_segment = last->second;
      rows_.emplace(timeline, std::move(row));
    }
    for (auto& [timeline, row] : rows_) {
      if (row.parent && rows_.contains(*row.parent)) children_[*row.parent].push_back(timeline);
    }
    for (auto& [timeline, children] : children_) {
      std::stable_sort(children.begin(), children.end(), [&](TimelineId a, TimelineId b) {
        return rows_.at(a).forked_at < rows_.at(b).forked_at;
      });
    }
  }

  void place_backups() {
    std::vector<const BackupInfo*> ordered;
    for (const BackupInfo& backup : backups_) {
      if (backup.is_copy_done() && backup.wal_timeline()) ordered.push_back(&backup);
    }
    std::stable_sort(ordered.begin(), ordered.end(), [](const BackupInfo* a, const BackupInfo* b) {
      return a->end_xlog.value_or(wal::Lsn{}) < b->end_xlog.value_or(wal::Lsn{});
    });
    for (const BackupInfo* const backup : ordered) {
      BranchRow& row = rows_.at(*backup->wal_timeline());
      (branches_.standing_of(*backup).is_abandoned() ? row.abandoned_backups : row.backups)
          .push_back(backup->id);
    }
  }

  void add_with_children(TimelineId timeline, std::size_t depth) {
    BranchRow& row = rows_.at(timeline);
    row.depth = depth;
    drawn_.push_back(row);
    for (const TimelineId child : children_[timeline]) add_with_children(child, depth + 1);
  }

  const Branches& branches_;
  const std::vector<BackupInfo>& backups_;
  std::map<TimelineId, BranchRow> rows_;
  std::map<TimelineId, std::vector<TimelineId>> children_;
  std::vector<BranchRow> drawn_;
};

}  // namespace

std::string describe_standing(const Standing& standing) {
  if (standing.kind == Standing::Kind::living) return "";
  if (standing.kind == Standing::Kind::unknown) return "on an unknown branch: " + standing.reason;
  const std::string place = "abandoned at " + wal::format_lsn(standing.parting_lsn);
  if (standing.living_branch != standing.parting_timeline) {
    return fmt::format("{}, where timeline {} went on as timeline {}", place,
                       standing.parting_timeline.value, standing.living_branch.value);
  }
  return fmt::format("{}, where timeline {} left timeline {}, which lives", place,
                     standing.backup_branch.value, standing.parting_timeline.value);
}

std::string Branches::history_problem(TimelineId timeline) const {
  if (timeline.value <= 1 || histories.contains(timeline)) return "";
  const auto reason = damaged.find(timeline);
  if (reason != damaged.end()) return reason->second;
  return fmt::format("its history file {} is not in the WAL archive",
                     wal::history_file_name(timeline));
}

TimelineHistory Branches::history_of(TimelineId timeline) const {
  const auto found = histories.find(timeline);
  if (found != histories.end()) return found->second;
  return {.timeline = timeline, .ancestors = {}};
}

std::optional<TimelineId> Branches::present() const {
  if (live_timeline) return live_timeline;
  if (!newest_archived) return std::nullopt;
  // A file that came late, or all that was archived before a failover.
  for (auto entry = histories.rbegin(); entry != histories.rend(); ++entry) {
    const std::optional<wal::Lsn> left_at = entry->second.switch_point(*newest_archived);
    if (!left_at) continue;
    const auto last = last_segments.find(*newest_archived);
    const std::optional<wal::Segment> segment =
        last == last_segments.end() ? std::nullopt
                                    : wal::parse_segment_name(last->second, segment_size);
    const bool goes_beyond =
        segment && segment->number > wal::segment_of({}, *left_at, segment_size).number;
    if (!goes_beyond) return entry->first;
  }
  return newest_archived;
}

bool Branches::descends_from(TimelineId timeline, const BackupInfo& backup) const {
  const std::optional<TimelineId> own = backup.wal_timeline();
  if (!own) return false;
  if (timeline == *own) return true;
  const auto found = histories.find(timeline);
  if (found == histories.end()) return false;
  const std::optional<wal::Lsn> left_at = found->second.switch_point(*own);
  // A backup that goes beyond the fork holds changes that the new timeline never had.
  return left_at && (!backup.end_xlog || *backup.end_xlog <= *left_at);
}

std::vector<TimelineId> Branches::descendants_of(const BackupInfo& backup) const {
  std::vector<TimelineId> result;
  for (auto entry = histories.rbegin(); entry != histories.rend(); ++entry) {
    const TimelineId timeline = entry->first;
    if (timeline != backup.wal_timeline() && last_segments.contains(timeline) &&
        descends_from(timeline, backup)) {
      result.push_back(timeline);
    }
  }
  if (const std::optional<TimelineId> own = backup.wal_timeline()) result.push_back(*own);
  return result;
}

TimelineId Branches::latest_as_postgres_sees_it(TimelineId from) const {
  const auto is_archived = [&](TimelineId timeline) {
    return histories.contains(timeline) || damaged.contains(timeline);
  };
  TimelineId newest = from;
  while (is_archived(TimelineId{newest.value + 1})) ++newest.value;
  return newest;
}

Standing Branches::standing_of(const BackupInfo& backup) const {
  const std::optional<TimelineId> own = backup.wal_timeline();
  if (!own) return unknown("its metadata does not tell its timeline");
  const std::optional<TimelineId> now = present();
  if (!now) return unknown("no WAL is archived");
  if (descends_from(*now, backup)) return {};
  const auto problem_of = [&](TimelineId timeline) {
    const std::string problem = history_problem(timeline);
    return problem.empty() ? "" : fmt::format("timeline {}: {}", timeline.value, problem);
  };
  if (std::string problem = problem_of(*now); !problem.empty()) return unknown(std::move(problem));
  const Way to_present = way_to(history_of(*now));
  const bool is_on_the_way = std::any_of(to_present.begin(), to_present.end(),
                                         [&](const auto& part) { return part.first == *own; });
  // Its own history tells nothing then that the other one does not.
  if (is_on_the_way) {
    Way to_backup;
    for (const auto& part : to_present) {
      if (part.first == *own) break;
      to_backup.push_back(part);
    }
    to_backup.emplace_back(*own, kOpenEnd);
    return parting_of(to_backup, to_present);
  }
  if (std::string problem = problem_of(*own); !problem.empty()) return unknown(std::move(problem));
  return parting_of(way_to(history_of(*own)), to_present);
}

bool Branches::counts(const BackupInfo& backup) const {
  return !present() || standing_of(backup).is_living();
}

std::vector<BranchRow> draw_branches(const Branches& branches,
                                     const std::vector<BackupInfo>& backups) {
  return Picture(branches, backups).draw();
}

std::string describe_abandoned(const std::vector<BranchRow>& rows, const wal::Segment& segment,
                               wal::SegmentSize size) {
  for (const BranchRow& row : rows) {
    if (row.timeline != segment.timeline || row.is_present) continue;
    if (row.left_at) {
      if (segment.number <= wal::segment_of(row.timeline, *row.left_at, size).number) return "";
      return fmt::format("timeline {} was left at {} for timeline {}", row.timeline.value,
                         wal::format_lsn(*row.left_at), row.left_for.value);
    }
    if (!row.is_on_living_path && row.history_problem.empty()) {
      return fmt::format("timeline {} is abandoned", row.timeline.value);
    }
  }
  return "";
}

}  // namespace barman::catalogue
