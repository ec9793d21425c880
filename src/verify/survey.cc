#include "verify/survey.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "postgres/backup_label.h"
#include "wal/wal_file_name.h"

namespace barman::verify {
namespace {

using catalogue::BackupInfo;
using catalogue::BackupStatus;
using Severity = Finding::Severity;

constexpr std::uint64_t kOpenEnd = UINT64_MAX;

std::string name_of(const SurveyFacts& facts, wal::TimelineId timeline, std::uint64_t number) {
  return wal::segment_name({.timeline = timeline, .number = number}, facts.segment_size);
}

bool has_errors(const std::vector<Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& finding) { return finding.severity == Severity::error; });
}

std::string object_of(const BackupInfo& info) { return "backup " + info.id.value; }

std::optional<wal::Segment> segment_of_text(const SurveyFacts& facts,
                                            const std::optional<std::string>& name) {
  return name ? wal::parse_segment_name(*name, facts.segment_size) : std::nullopt;
}

// The part of a timeline's history that one timeline holds; both ends included.
struct PathPart {
  wal::TimelineId timeline;
  std::uint64_t first = 0;
  std::uint64_t last = kOpenEnd;
};
using Path = std::vector<PathPart>;

Path path_to(const SurveyFacts& facts, wal::TimelineId timeline) {
  Path path;
  std::uint64_t begin = 0;
  const auto history = facts.histories.find(timeline);
  if (history != facts.histories.end()) {
    for (const postgres::TimelineHistoryEntry& entry : history->second.ancestors) {
      const std::uint64_t end = entry.switch_lsn.value / facts.segment_size.bytes;
      if (end > begin) path.push_back({entry.timeline, begin, end - 1});
      begin = end;
    }
  }
  path.push_back({timeline, begin, kOpenEnd});
  return path;
}

const PathPart& part_at(const Path& path, std::uint64_t number) {
  for (const PathPart& part : path) {
    if (number >= part.first && number <= part.last) return part;
  }
  return path.back();
}

// What is archived along a path, neighbours joined.
std::vector<SegmentRun> runs_along(const SurveyFacts& facts, const Path& path) {
  std::vector<SegmentRun> result;
  for (const PathPart& part : path) {
    const auto segments = facts.segments.find(part.timeline);
    if (segments == facts.segments.end()) continue;
    for (const SegmentRun& run : segments->second) {
      const SegmentRun cut = {.first = std::max(run.first, part.first),
                              .last = std::min(run.last, part.last),
                              .last_mtime = run.last_mtime};
      if (cut.first > cut.last) continue;
      const bool goes_on =
          !result.empty() && cut.first == result.back().last + 1 && !result.back().ends_recovery;
      if (goes_on) {
        result.back().last = cut.last;
        result.back().last_mtime = cut.last_mtime;
        result.back().ends_recovery = run.ends_recovery && cut.last == run.last;
      } else {
        result.push_back(cut);
        result.back().ends_recovery = run.ends_recovery && cut.last == run.last;
      }
    }
  }
  return result;
}

// A backup whose own files, and those of its parents, can be restored, with the numbers of its WAL.
struct UsableBackup {
  const SurveyedBackup* backup = nullptr;
  wal::TimelineId timeline;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  bool is_standalone = false;
};

// The label of an incremental backup, as PostgreSQL wrote it, names what it builds on.
std::string label_problem(const SurveyFacts& facts, const BackupInfo& info) {
  if (!info.backup_label) return "";
  std::optional<wal::Lsn> from;
  try {
    from = postgres::parse_backup_label(*info.backup_label).incremental_from_lsn;
  } catch (const Error& error) {
    return "its backup_label cannot be read: " + error.describe();
  }
  if (!from) return "";
  if (!info.parent_backup_id) {
    return fmt::format("it is incremental (from LSN {}), and its metadata names no parent",
                       wal::format_lsn(*from));
  }
  for (const SurveyedBackup& other : facts.backups) {
    if (other.info.id != *info.parent_backup_id) continue;
    if (!other.info.begin_xlog || *other.info.begin_xlog == *from) return "";
    return fmt::format(
        "it builds on a backup that begins at LSN {}, and the parent in its metadata "
        "({}) begins at {}",
        wal::format_lsn(*from), other.info.id.value, wal::format_lsn(*other.info.begin_xlog));
  }
  return "";
}

// Why the chain of an incremental backup is broken; "" when it is not.
std::string chain_problem(const SurveyFacts& facts, const BackupInfo& info) {
  if (std::string problem = label_problem(facts, info); !problem.empty()) return problem;
  const BackupInfo* child = &info;
  // A chain that bites its tail is as good as broken: more links than backups.
  for (std::size_t links = 0; child->parent_backup_id && links <= facts.backups.size(); ++links) {
    const auto parent =
        std::lower_bound(facts.backups.begin(), facts.backups.end(), *child->parent_backup_id,
                         [](const SurveyedBackup& other, const catalogue::BackupId& id) {
                           return other.info.id < id;
                         });
    if (parent == facts.backups.end() || parent->info.id != *child->parent_backup_id) {
      return fmt::format("its {} {} is missing", child == &info ? "parent" : "ancestor",
                         child->parent_backup_id->value);
    }
    const std::string name =
        fmt::format("its {} {}", child == &info ? "parent" : "ancestor", parent->info.id.value);
    if (!parent->info.is_copy_done()) {
      return fmt::format("{} is {}", name, catalogue::status_text(parent->info.status));
    }
    if (parent->is_being_deleted) return name + " is being deleted";
    if (has_errors(parent->damage)) return name + " is damaged";
    if (const std::string problem = label_problem(facts, parent->info); !problem.empty()) {
      return fmt::format("{} does not fit: {}", name, problem);
    }
    child = &parent->info;
  }
  return child->parent_backup_id ? "its chain of parents has no end" : "";
}

// Where the server ran with wal_level = minimal a run is cut in two.
SurveyFacts cut_at_minimal_wal(const SurveyFacts& given) {
  SurveyFacts facts = given;
  for (const catalogue::MinimalWal& place : facts.minimal_wal) {
    const auto segment = wal::parse_segment_name(place.segment, facts.segment_size);
    const auto runs = segment ? facts.segments.find(segment->timeline) : facts.segments.end();
    if (runs == facts.segments.end()) continue;
    std::vector<SegmentRun> cut;
    for (const SegmentRun& run : runs->second) {
      cut.push_back(run);
      if (segment->number < run.first || run.last < segment->number) continue;
      cut.back().last = segment->number;
      cut.back().ends_recovery = true;
      if (segment->number == run.last) continue;
      cut.push_back(run);
      cut.back().first = segment->number + 1;
    }
    runs->second = std::move(cut);
  }
  return facts;
}

std::vector<UsableBackup> usable_backups(const SurveyFacts& facts) {
  std::vector<UsableBackup> result;
  for (const SurveyedBackup& backup : facts.backups) {
    const auto begin = segment_of_text(facts, backup.info.begin_wal);
    const auto end = segment_of_text(facts, backup.info.end_wal);
    if (!backup.info.is_copy_done() || backup.is_being_deleted || !begin || !end) continue;
    if (has_errors(backup.damage) || !chain_problem(facts, backup.info).empty()) continue;
    result.push_back({.backup = &backup,
                      .timeline = begin->timeline,
                      .begin = begin->number,
                      .end = std::max(begin->number, end->number),
                      .is_standalone = backup.keep == catalogue::KeepTarget::standalone});
  }
  std::stable_sort(result.begin(), result.end(),
                   [](const UsableBackup& a, const UsableBackup& b) { return a.begin < b.begin; });
  return result;
}

bool is_on_path(const UsableBackup& backup, const Path& path) {
  return std::any_of(path.begin(), path.end(), [&](const PathPart& part) {
    return part.timeline == backup.timeline && backup.begin >= part.first &&
           backup.end <= part.last;
  });
}

// Everything of this timeline is on the way to another one.
bool is_covered_by_descendant(const SurveyFacts& facts, wal::TimelineId timeline) {
  const std::uint64_t last = facts.segments.at(timeline).back().last;
  return std::any_of(facts.histories.begin(), facts.histories.end(), [&](const auto& item) {
    const std::optional<wal::Lsn> left = item.second.switch_point(timeline);
    return item.first != timeline && facts.segments.contains(item.first) && left &&
           last <= left->value / facts.segment_size.bytes;
  });
}

class Survey {
 public:
  explicit Survey(const SurveyFacts& facts)
      : facts_(cut_at_minimal_wal(facts)), usable_(usable_backups(facts_)) {}

  SurveyReport run() {
    report_.backup_count = facts_.backups.size();
    report_.wal_count = facts_.wal_count;
    report_.wal_size_bytes = facts_.wal_size_bytes;
    survey_directories();
    survey_backups();
    survey_minimal_wal();
    list_not_looked_at();
    draw_branches();
    for (const auto& [timeline, runs] : facts_.segments) {
      if (runs.empty()) continue;
      check_history(timeline);
      if (!is_covered_by_descendant(facts_, timeline)) survey_path(timeline);
    }
    // What was received of a timeline of which nothing is archived may lie behind a hole, too.
    for (const auto& received : facts_.received) {
      const wal::TimelineId timeline = received.first;
      const bool is_new = !facts_.segments.contains(timeline);
      if (is_new && facts_.histories.contains(timeline)) survey_received(timeline);
    }
    for (const auto* const known :
         {&facts_.wal_damage, &facts_.catalogue_damage, &facts_.stopped_wal}) {
      report_.findings.insert(report_.findings.end(), known->begin(), known->end());
    }
    std::stable_sort(report_.findings.begin(), report_.findings.end(),
                     [](const Finding& a, const Finding& b) { return a.severity < b.severity; });
    return std::move(report_);
  }

 private:
  void draw_branches() {
    std::vector<BackupInfo> backups;
    for (const SurveyedBackup& backup : facts_.backups) backups.push_back(backup.info);
    report_.branches = catalogue::draw_branches(facts_.branches, backups);
    if (report_.branches.size() == 1) report_.branches.clear();
  }

  // Of a window that ends on this timeline.
  std::string abandoned_from(wal::TimelineId timeline) const {
    for (const catalogue::BranchRow& row : report_.branches) {
      if (row.timeline != timeline || row.is_present) continue;
      if (row.left_at) return "abandoned behind " + wal::format_lsn(*row.left_at);
      if (!row.is_on_living_path && row.history_problem.empty() && facts_.branches.present()) {
        return "abandoned";
      }
    }
    return "";
  }

  void add(Severity severity, std::string object, std::string reason, std::string next_step) {
    report_.findings.push_back(
        {severity, std::move(object), std::move(reason), std::move(next_step)});
  }

  std::string delete_command(const BackupInfo& info) const {
    return fmt::format("Run \"barman delete {} {}\".", facts_.server_name, info.id.value);
  }

  void survey_directories() {
    for (const std::string& path : facts_.missing_directories) {
      add(Severity::error, "directory \"" + path + "\"", "it does not exist",
          fmt::format("Look whether its file system is mounted. For a server that is new, \"barman "
                      "check {}\" makes it.",
                      facts_.server_name));
    }
  }

  // What was done without WAL is lost for all backups that were taken before.
  void survey_minimal_wal() {
    for (const catalogue::MinimalWal& place : facts_.minimal_wal) {
      const auto segment = wal::parse_segment_name(place.segment, facts_.segment_size);
      const auto before = std::find_if(usable_.rbegin(), usable_.rend(), [&](const auto& backup) {
        return segment && !backup.is_standalone && backup.timeline <= segment->timeline &&
               backup.end <= segment->number;
      });
      if (before == usable_.rend()) continue;
      add(Severity::error, "WAL " + place.segment,
          fmt::format(
              "the server ran with wal_level = minimal from LSN {} on: recovery from backup "
              "{} and earlier ones ends at LSN {}",
              wal::format_lsn(place.begin), before->backup->info.id.value,
              wal::format_lsn(place.last_good_record)),
          "Take a new backup, unless there is a later one, and keep wal_level at replica or more.");
    }
  }

  void list_not_looked_at() {
    std::map<std::string, std::vector<std::string>> reasons;
    for (const SurveyedBackup& backup : facts_.backups) {
      if (!backup.not_looked_at.empty()) {
        reasons[backup.not_looked_at].push_back(object_of(backup.info));
      }
    }
    for (const auto& [reason, backups] : reasons) {
      report_.not_looked_at.push_back(fmt::format(
          "{}: {}",
          backups.size() == 1 ? backups.front() : fmt::format("{} backups", backups.size()),
          reason));
    }
    if (facts_.wal_count > 0) {
      report_.not_looked_at.push_back(fmt::format(
          "the records of the WAL (\"barman verify-wal {}\" reads them)", facts_.server_name));
    }
  }

  void survey_backups() {
    for (const BackupInfo& gone : facts_.gone) {
      add(Severity::notice, object_of(gone),
          "its directory and its WAL were removed by another program, which has left its metadata",
          delete_command(gone));
    }
    for (const catalogue::BrokenBackup& broken : facts_.broken) {
      add(Severity::error, "backup " + broken.id.value,
          "its metadata cannot be read: " + broken.reason,
          "Repair \"" + broken.path.string() + "\", or restore it from a copy.");
    }
    for (const std::filesystem::path& directory : facts_.nameless) {
      const std::string id = directory.filename().string();
      add(Severity::error, "backup " + id,
          "\"" + directory.string() +
              "\" has files, and the metadata of the backup are missing: no "
              "command knows of it",
          fmt::format("Unless an import is at work: bring meta/{}-backup.info back from a copy of "
                      "the catalogue, or remove the directory.",
                      id));
    }
    for (const SurveyedBackup& backup : facts_.backups) survey_backup(backup);
  }

  void survey_backup(const SurveyedBackup& backup) {
    const BackupInfo& info = backup.info;
    if (backup.is_being_deleted) {
      return add(Severity::notice, object_of(info), "its deletion has begun and was interrupted",
                 "\"barman cron\" completes it.");
    }
    if (info.status == BackupStatus::failed) {
      return add(Severity::notice, object_of(info),
                 "it has failed" + (info.error ? ": " + *info.error : ""), delete_command(info));
    }
    if (!info.is_copy_done()) {
      return add(Severity::notice, object_of(info),
                 fmt::format("it is {}, not complete", catalogue::status_text(info.status)),
                 "If no backup is running, the next \"barman cron\" marks it FAILED.");
    }
    report_.findings.insert(report_.findings.end(), backup.damage.begin(), backup.damage.end());
    check_chain(info);
    check_wal_of(info);
  }

  void check_chain(const BackupInfo& info) {
    const std::string problem = chain_problem(facts_, info);
    if (problem.empty()) return;
    add(Severity::error, object_of(info), problem + ", so it cannot be restored",
        "Take a new full backup. " + delete_command(info));
  }

  // The WAL between its begin and its end, without which it is not consistent.
  void check_wal_of(const BackupInfo& info) {
    const auto begin = segment_of_text(facts_, info.begin_wal);
    const auto end = segment_of_text(facts_, info.end_wal);
    if (!begin || !end) {
      return add(Severity::error, object_of(info), "its metadata does not tell which WAL it needs",
                 "Take a new backup.");
    }
    if (begin->timeline != end->timeline || end->number < begin->number) return;
    const auto runs = facts_.segments.find(begin->timeline);
    const bool is_there =
        runs != facts_.segments.end() &&
        std::any_of(runs->second.begin(), runs->second.end(), [&](const SegmentRun& run) {
          return run.first <= begin->number && end->number <= run.last;
        });
    if (is_there) return;
    const std::string range = fmt::format("{} to {}", *info.begin_wal, *info.end_wal);
    if (info.status == BackupStatus::waiting_for_wals) {
      return add(
          Severity::notice, object_of(info),
          "it waits for WAL that is not archived yet (" + range + ")",
          fmt::format("Run \"barman check {}\" if that does not change.", facts_.server_name));
    }
    add(Severity::error, object_of(info),
        "WAL that it needs to be consistent is missing (" + range + "), so it cannot be restored",
        "Look for the files in PostgreSQL's pg_wal and in errors/; otherwise take a new backup.");
  }

  void check_history(wal::TimelineId timeline) {
    if (timeline.value <= 1 || facts_.histories.contains(timeline) ||
        facts_.unread_histories.contains(timeline)) {
      return;
    }
    const std::string name = wal::history_file_name(timeline);
    add(Severity::error, "timeline " + fmt::to_string(timeline.value),
        name + " is not archived: recovery from older timelines cannot follow it",
        "Copy " + name + " from PostgreSQL's pg_wal into incoming/, and run \"barman cron\".");
  }

  std::vector<const UsableBackup*> backups_on(const Path& path) const {
    std::vector<const UsableBackup*> backups;
    for (const UsableBackup& backup : usable_) {
      if (is_on_path(backup, path)) backups.push_back(&backup);
    }
    return backups;
  }

  void survey_path(wal::TimelineId timeline) {
    const Path path = path_to(facts_, timeline);
    const std::vector<const UsableBackup*> backups = backups_on(path);
    if (backups.empty()) return;
    const std::vector<SegmentRun> runs = runs_along(facts_, path);
    std::uint64_t expected = backups.front()->begin;
    for (const SegmentRun& run : runs) {
      if (run.last < expected) continue;
      if (run.first > expected) add_hole(path, backups, expected, run.first - 1);
      add_window(timeline, path, backups, run);
      expected = run.last + 1;
    }
    find_hole_before_received(path, backups, expected);
  }

  void survey_received(wal::TimelineId timeline) {
    const Path path = path_to(facts_, timeline);
    const std::vector<const UsableBackup*> backups = backups_on(path);
    if (backups.empty()) return;
    std::uint64_t expected = backups.front()->begin;
    for (const SegmentRun& run : runs_along(facts_, path)) {
      expected = std::max(expected, run.last + 1);
    }
    find_hole_before_received(path, backups, expected);
  }

  bool is_received(const Path& path, std::uint64_t number) const {
    const auto timeline = facts_.received.find(part_at(path, number).timeline);
    return timeline != facts_.received.end() && timeline->second.contains(number);
  }

  // Behind the last archived segment, up to something that was received.
  void find_hole_before_received(const Path& path, const std::vector<const UsableBackup*>& backups,
                                 std::uint64_t expected) {
    while (is_received(path, expected)) ++expected;
    std::optional<std::uint64_t> next;
    for (const auto& [timeline, segments] : facts_.received) {
      for (auto known = segments.lower_bound(expected); known != segments.end(); ++known) {
        if (part_at(path, known->first).timeline != timeline) continue;
        next = std::min(next.value_or(known->first), known->first);
        break;
      }
    }
    if (next) add_hole(path, backups, expected, *next - 1);
  }

  void add_hole(const Path& path, const std::vector<const UsableBackup*>& backups,
                std::uint64_t first, std::uint64_t last) {
    const auto needing = std::find_if(backups.begin(), backups.end(), [&](const auto* backup) {
      return !backup->is_standalone && backup->begin <= last;
    });
    for (std::uint64_t number = first; number <= last;) {
      const PathPart& part = part_at(path, number);
      const std::uint64_t end = std::min(last, part.last);
      WalHole hole = {.first = name_of(facts_, part.timeline, number),
                      .last = name_of(facts_, part.timeline, end),
                      .count = end - number + 1,
                      .is_expected = needing == backups.end()};
      number = end + 1;
      if (!known_holes_.insert(hole.first).second) continue;
      if (!hole.is_expected) {
        add(Severity::error,
            hole.count == 1 ? "WAL " + hole.first
                            : fmt::format("WAL {} to {}", hole.first, hole.last),
            fmt::format("{} segment{} missing: recovery from backup {} and later ones before the "
                        "hole ends there",
                        hole.count, hole.count == 1 ? " is" : "s are",
                        (*needing)->backup->info.id.value),
            "Look for the files in PostgreSQL's pg_wal and in errors/; otherwise take a new "
            "backup, which begins a new window.");
      }
      report_.holes.push_back(std::move(hole));
    }
  }

  // What continues the archive without a gap.
  std::optional<RecoveryWindow::Received> received_behind(const Path& path,
                                                          std::uint64_t last) const {
    std::optional<RecoveryWindow::Received> result;
    for (std::uint64_t number = last + 1;; ++number) {
      const auto timeline = facts_.received.find(part_at(path, number).timeline);
      if (timeline == facts_.received.end()) return result;
      const auto segment = timeline->second.find(number);
      if (segment == timeline->second.end()) return result;
      const ReceivedSegment& file = segment->second;
      result =
          RecoveryWindow::Received{.last_file = file.file_name,
                                   .to_lsn = {number * facts_.segment_size.bytes + file.size_bytes},
                                   .to_time = in_local_zone(from_epoch_seconds(file.mtime))};
      if (file.size_bytes < facts_.segment_size.bytes) return result;
    }
  }

  void add_window(wal::TimelineId timeline, const Path& path,
                  const std::vector<const UsableBackup*>& backups, const SegmentRun& run) {
    RecoveryWindow window = {
        .timeline = timeline,
        .last_segment = name_of(facts_, part_at(path, run.last).timeline, run.last),
        .to_lsn = {(run.last + 1) * facts_.segment_size.bytes},
        .to_time = in_local_zone(from_epoch_seconds(run.last_mtime))};
    for (const UsableBackup* usable : backups) {
      if (usable->begin < run.first || usable->end > run.last) continue;
      if (window.backup_count++ > 0) continue;
      const BackupInfo& info = usable->backup->info;
      window.first_backup = info.id;
      // One zone in one line, whatever that of the host was when the backup was taken.
      if (info.end_time) window.from_time = in_local_zone(*info.end_time);
      // The last segment may have been written before the backup ended: nothing came since.
      if (info.end_time && *info.end_time > window.to_time) window.to_time = *info.end_time;
      window.from_lsn = info.end_xlog;
    }
    window.abandoned = abandoned_from(timeline);
    window.received = received_behind(path, run.last);
    if (window.backup_count > 0) report_.windows.push_back(std::move(window));
  }

  const SurveyFacts facts_;
  const std::vector<UsableBackup> usable_;
  std::set<std::string> known_holes_;
  SurveyReport report_;
};

}  // namespace

bool SurveyReport::has_errors() const { return verify::has_errors(findings); }

SurveyReport survey_catalogue(const SurveyFacts& facts) { return Survey(facts).run(); }

}  // namespace barman::verify
