#include "catalogue/retention.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/shown_time.h"
#include "catalogue/backup_order.h"

namespace barman::catalogue {
namespace {

using Verdicts = std::map<BackupId, RetentionVerdict>;

bool is_candidate(const BackupInfo& backup, const RetentionInput& input) {
  return backup.status == BackupStatus::done && !backup.is_incremental() &&
         find_doubt(backup, input.annotations).empty();
}

RetentionVerdict kept_or(const BackupInfo& backup, const RetentionInput& input,
                         RetentionStatus status, std::string reason) {
  const auto keep = input.annotations.keeps.find(backup.id);
  if (keep == input.annotations.keeps.end()) {
    return {.id = backup.id, .status = status, .reason = std::move(reason)};
  }
  if (keep->second == KeepTarget::standalone) {
    return {.id = backup.id,
            .status = RetentionStatus::keep_standalone,
            .reason = "kept with the WAL that makes it consistent"};
  }
  return {.id = backup.id,
          .status = RetentionStatus::keep_full,
          .reason = "kept with all WAL that follows"};
}

RetentionVerdict not_counted(const BackupInfo& backup, const RetentionInput& input) {
  std::string reason = find_doubt(backup, input.annotations);
  if (reason.empty()) reason = fmt::format("its status is {}", status_text(backup.status));
  // Whatever keeps it from being counted, a keep is a keep.
  RetentionVerdict verdict =
      kept_or(backup, input, RetentionStatus::none, "not subject to the policy: " + reason);
  verdict.is_inside_policy = verdict.status != RetentionStatus::none;
  return verdict;
}

// A day of the window is at least as long as the clock of this host shows it: behind the end of
// summer time, when one has 25 hours, "at this time yesterday" is still within a window of a day.
Timestamp by_the_clock(Timestamp begin, const RetentionInput& input) {
  const std::int64_t shift_seconds = std::int64_t{in_local_zone(begin).utc_offset_seconds} -
                                     in_local_zone(input.now).utc_offset_seconds;
  if (shift_seconds > 0) begin.microseconds -= shift_seconds * 1'000'000;
  return begin;
}

// The earliest time there is when the window is longer than all times.
Timestamp window_begin(const RetentionInput& input) {
  constexpr std::int64_t kMicroseconds = 1'000'000;
  Timestamp begin = input.now;
  std::int64_t length = 0;
  if (__builtin_mul_overflow(input.rule.seconds, kMicroseconds, &length) ||
      length > begin.microseconds) {
    begin.microseconds = 0;
    return begin;
  }
  begin.microseconds -= length;
  return by_the_clock(begin, input);
}

// Kept, though it is none of those that were counted.
RetentionVerdict beside(const BackupInfo& backup, const RetentionInput& input, std::string reason) {
  RetentionVerdict verdict = kept_or(backup, input, RetentionStatus::valid, std::move(reason));
  verdict.is_inside_policy = true;
  return verdict;
}

std::string beside_reason(const BackupInfo& backup, const RetentionInput& input) {
  return fmt::format("not counted, and kept as long as older ones are needed: {}",
                     describe_standing(input.branches.standing_of(backup)));
}

// Backups that are counted, by where they begin in WAL.
class CountedPlaces {
 public:
  void add(const BackupInfo& backup) {
    const std::optional<wal::TimelineId> timeline = backup.wal_timeline();
    if (!timeline || !backup.begin_xlog) return;
    const auto [place, is_new] = first_.try_emplace(*timeline, *backup.begin_xlog);
    if (!is_new) place->second = std::min(place->second, *backup.begin_xlog);
  }
  // It counts as older than one of them, and yet WAL says that it is newer: a clock went back.
  bool is_doubtful(const BackupInfo& backup) const {
    const std::optional<wal::TimelineId> timeline = backup.wal_timeline();
    const auto place = timeline ? first_.find(*timeline) : first_.end();
    return place != first_.end() && backup.begin_xlog && *backup.begin_xlog > place->second;
  }

 private:
  std::map<wal::TimelineId, wal::Lsn> first_;
};

constexpr const char* kDoubtfulAge =
    "kept for now: its WAL is newer than that of backups that were taken later by the clock";

// Both functions walk from the newest backup to the oldest.
void apply_redundancy(const std::vector<BackupInfo>& backups, const RetentionInput& input,
                      Verdicts& verdicts) {
  const std::uint64_t redundancy = std::max(input.rule.count, input.minimum_redundancy);
  const std::vector<const BackupInfo*> by_age = in_order_of_age(backups);
  CountedPlaces places;
  std::uint64_t position = 0;
  for (auto next = by_age.rbegin(); next != by_age.rend(); ++next) {
    const BackupInfo& backup = **next;
    if (!is_candidate(backup, input)) continue;
    const bool is_inside = position < redundancy;
    RetentionVerdict& verdict = verdicts[backup.id];
    if (is_inside && !input.branches.counts(backup)) {
      verdict = beside(backup, input, beside_reason(backup, input));
    } else if (is_inside) {
      ++position;
      places.add(backup);
      verdict = beside(backup, input,
                       fmt::format("number {} of the {} newest backups", position, redundancy));
    } else if (places.is_doubtful(backup)) {
      verdict = beside(backup, input, kDoubtfulAge);
    } else {
      verdict = kept_or(backup, input, RetentionStatus::obsolete,
                        fmt::format("older than the {} newest backups", redundancy));
    }
  }
}

void apply_window(const std::vector<BackupInfo>& backups, const RetentionInput& input,
                  Verdicts& verdicts) {
  const Timestamp begin = window_begin(input);
  const std::string begin_text = shown_second(begin);
  const std::vector<const BackupInfo*> by_age = in_order_of_age(backups);
  CountedPlaces places;
  bool has_anchor = false;
  std::uint64_t counted = 0;
  for (auto next = by_age.rbegin(); next != by_age.rend(); ++next) {
    const BackupInfo& backup = **next;
    if (!is_candidate(backup, input)) continue;
    RetentionVerdict& verdict = verdicts[backup.id];
    const bool is_needed = !has_anchor || counted < input.minimum_redundancy;
    if (is_needed && !input.branches.counts(backup)) {
      verdict = beside(backup, input, beside_reason(backup, input));
    } else if (!has_anchor) {
      // The first backup that ended before the window is where recovery to its begin starts.
      has_anchor = backup.end_time && *backup.end_time < begin;
      verdict = beside(backup, input,
                       has_anchor ? "the newest backup that ended before the recovery window, "
                                    "which begins at " +
                                        begin_text
                                  : "in the recovery window, which begins at " + begin_text);
      places.add(backup);
      ++counted;
    } else if (is_needed) {
      verdict = kept_or(backup, input, RetentionStatus::potentially_obsolete,
                        fmt::format("older than the recovery window, needed for the minimum "
                                    "redundancy of {}",
                                    input.minimum_redundancy));
      ++counted;
    } else if (places.is_doubtful(backup)) {
      verdict = beside(backup, input, kDoubtfulAge);
    } else {
      verdict = kept_or(backup, input, RetentionStatus::obsolete,
                        "not needed for the recovery window, which begins at " + begin_text);
    }
  }
}

RetentionStatus status_below(const RetentionVerdict& root) {
  if (root.status == RetentionStatus::keep_full) return RetentionStatus::valid;
  if (root.status == RetentionStatus::keep_standalone) {
    return root.is_inside_policy ? RetentionStatus::valid : RetentionStatus::obsolete;
  }
  return root.status;
}

void apply_to_incremental(const std::vector<BackupInfo>& backups, const BackupInfo& backup,
                          Verdicts& verdicts) {
  RetentionVerdict verdict = {.id = backup.id};
  const BackupInfo* const root = root_of(backups, backup);
  const auto root_verdict = root == nullptr ? verdicts.end() : verdicts.find(root->id);
  if (root_verdict == verdicts.end()) {
    verdict.reason = "its root backup is missing, so it cannot be restored";
  } else {
    verdict.status = status_below(root_verdict->second);
    verdict.is_inside_policy = root_verdict->second.is_inside_policy;
    verdict.reason = fmt::format("follows its root {} ({})", root->id.value,
                                 retention_text(root_verdict->second.status));
  }
  verdicts[backup.id] = std::move(verdict);
}

bool is_running(const BackupInfo& backup) {
  return backup.status == BackupStatus::empty || backup.status == BackupStatus::started ||
         backup.status == BackupStatus::syncing;
}

void mark_ancestors(const std::vector<BackupInfo>& backups, const BackupInfo& running,
                    Verdicts& verdicts) {
  std::set<BackupId> seen;
  std::optional<BackupId> id = running.parent_backup_id;
  while (id && seen.insert(*id).second) {
    const auto verdict = verdicts.find(*id);
    if (verdict != verdicts.end()) verdict->second.has_running_descendant = true;
    const BackupInfo* const parent = find_backup(backups, *id);
    id = parent == nullptr ? std::nullopt : parent->parent_backup_id;
  }
}

}  // namespace

std::string_view retention_text(RetentionStatus status) {
  constexpr std::array<std::string_view, 6> kTexts = {"VALID",     "OBSOLETE",        "OBSOLETE*",
                                                      "KEEP:FULL", "KEEP:STANDALONE", "-"};
  return kTexts.at(static_cast<std::size_t>(status));
}

std::vector<RetentionVerdict> apply_retention(const std::vector<BackupInfo>& backups,
                                              const RetentionInput& input) {
  Verdicts verdicts;
  if (input.rule.kind == RetentionRule::Kind::redundancy) {
    apply_redundancy(backups, input, verdicts);
  } else {
    apply_window(backups, input, verdicts);
  }
  for (const BackupInfo& backup : backups) {
    if (backup.status == BackupStatus::empty || backup.is_incremental()) continue;
    if (!is_candidate(backup, input)) verdicts[backup.id] = not_counted(backup, input);
  }
  for (const BackupInfo& backup : backups) {
    if (backup.status != BackupStatus::empty && backup.is_incremental()) {
      apply_to_incremental(backups, backup, verdicts);
    }
  }
  for (const BackupInfo& backup : backups) {
    if (is_running(backup)) mark_ancestors(backups, backup, verdicts);
  }
  std::vector<RetentionVerdict> result;
  for (auto& [id, verdict] : verdicts) result.push_back(std::move(verdict));
  return result;
}

std::set<BackupId> standalone_backups(const std::vector<BackupInfo>& backups,
                                      const Annotations& annotations, const RetentionInput* input) {
  if (annotations.keeps.empty()) return {};
  if (input != nullptr) return standalone_outside_policy(apply_retention(backups, *input));
  std::set<BackupId> result;
  for (const auto& [id, target] : annotations.keeps) {
    if (target == KeepTarget::standalone) result.insert(id);
  }
  return result;
}

std::set<BackupId> standalone_outside_policy(const std::vector<RetentionVerdict>& verdicts) {
  std::set<BackupId> ids;
  for (const RetentionVerdict& verdict : verdicts) {
    if (verdict.status == RetentionStatus::keep_standalone && !verdict.is_inside_policy) {
      ids.insert(verdict.id);
    }
  }
  return ids;
}

std::vector<BackupId> obsolete_in_order(const std::vector<BackupInfo>& backups,
                                        const std::vector<RetentionVerdict>& verdicts) {
  std::set<BackupId> obsolete;
  for (const RetentionVerdict& verdict : verdicts) {
    if (verdict.status == RetentionStatus::obsolete && !verdict.has_running_descendant) {
      obsolete.insert(verdict.id);
    }
  }
  // Most backups have no descendants; looking for them reads the whole list.
  std::set<BackupId> parents;
  for (const BackupInfo& backup : backups) {
    if (backup.parent_backup_id) parents.insert(*backup.parent_backup_id);
    if (!backup.children_backup_ids.empty()) parents.insert(backup.id);
  }
  std::vector<BackupId> order;
  std::set<BackupId> placed;
  const auto place = [&](const BackupId& id) {
    if (obsolete.contains(id) && placed.insert(id).second) order.push_back(id);
  };
  for (const BackupId& id : obsolete) {
    if (placed.contains(id)) continue;
    if (parents.contains(id)) {
      for (const BackupId& descendant : descendants_of(backups, id)) place(descendant);
    }
    place(id);
  }
  return order;
}

}  // namespace barman::catalogue
