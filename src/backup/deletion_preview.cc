#include "backup/deletion_preview.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "catalogue/deletion.h"
#include "wal/wal_file_name.h"

namespace barman::backup {
namespace {

using catalogue::BackupId;
using catalogue::BackupInfo;
using wal_archive::WalRemovalInput;
using wal_archive::WalRemovalPlan;

// Texts by backup, for those that are to go.
using Doomed = std::map<BackupId, std::string>;

std::vector<catalogue::RetentionVerdict> verdicts_of(const DeletionFacts& facts,
                                                     const std::vector<BackupInfo>& backups) {
  if (!facts.retention) return {};
  return catalogue::apply_retention(backups, *facts.retention);
}

std::set<BackupId> standalone_backups_of(const DeletionFacts& facts,
                                         const std::vector<BackupInfo>& backups) {
  return catalogue::standalone_backups(backups, facts.annotations,
                                       facts.retention ? &*facts.retention : nullptr);
}

std::vector<BackupInfo> without(const std::vector<BackupInfo>& backups,
                                const std::set<BackupId>& gone) {
  std::vector<BackupInfo> rest;
  rest.reserve(backups.size() - gone.size());
  for (const BackupInfo& backup : backups) {
    if (!gone.contains(backup.id)) rest.push_back(backup);
  }
  return rest;
}

// The deletions whose plans together remove what all plans remove, by position in `order`. Among
// plans with a boundary on the same timeline the last one removes most, because protections only go
// away; a plan removes nothing while an older backup is left.
std::set<std::size_t> deciding_steps(const std::vector<BackupInfo>& backups,
                                     const std::vector<BackupId>& order,
                                     const std::set<BackupId>& standalone,
                                     WalRemovalInput::Cause cause) {
  std::map<BackupId, std::size_t> positions;
  for (std::size_t i = 0; i < backups.size(); ++i) positions[backups[i].id] = i;
  std::vector<bool> is_gone(backups.size(), false);
  const auto blocks = [&](std::size_t i) {
    return !is_gone[i] && backups[i].is_copy_done() &&
           (cause == WalRemovalInput::Cause::command || !standalone.contains(backups[i].id));
  };
  std::map<std::optional<wal::TimelineId>, std::size_t> last;
  std::size_t oldest = 0;
  for (std::size_t step = 0; step < order.size(); ++step) {
    const std::size_t at = positions.at(order[step]);
    while (oldest < backups.size() && !blocks(oldest)) ++oldest;
    std::size_t next = at + 1;
    while (next < backups.size() && (is_gone[next] || !backups[next].is_copy_done())) ++next;
    const BackupInfo& boundary = backups[next < backups.size() ? next : at];
    if (oldest >= at && boundary.begin_wal) last[boundary.wal_timeline()] = step;
    is_gone[at] = true;
  }
  std::set<std::size_t> steps = {order.size() - 1};  // for its reason, if no other removes
  for (const auto& [timeline, step] : last) steps.insert(step);
  return steps;
}

// The plans that matter, each made as if the deletions before it had happened; in their order.
std::vector<WalRemovalPlan> play_deletions(const DeletionFacts& facts,
                                           const std::vector<BackupId>& order,
                                           WalRemovalInput::Cause cause) {
  if (order.empty()) return {};
  const std::set<BackupId> standalone = standalone_backups_of(facts, facts.list.backups);
  std::vector<WalRemovalPlan> plans;
  for (const std::size_t step : deciding_steps(facts.list.backups, order, standalone, cause)) {
    const std::set<BackupId> gone(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(step));
    const catalogue::BackupList rest{.backups = without(facts.list.backups, gone),
                                     .broken = facts.list.broken};
    plans.push_back(
        wal_archive::plan_wal_removal({.list = rest,
                                       .deleted = order[step],
                                       .standalone = standalone_backups_of(facts, rest.backups),
                                       .cause = cause}));
  }
  return plans;
}

// The last plan comes first: it removes most of what goes.
std::vector<WalRemovalPlan> removing_plans(const std::vector<WalRemovalPlan>& plans) {
  std::vector<WalRemovalPlan> result;
  for (auto plan = plans.rbegin(); plan != plans.rend(); ++plan) {
    if (plan->is_removing) result.push_back(*plan);
  }
  return result;
}

// The backup from whose begin WAL stays; the oldest one when several begin there.
std::string boundary_reason(const std::vector<BackupInfo>& backups, const Doomed& doomed,
                            const std::string& first_needed) {
  for (const BackupInfo& backup : backups) {
    if (backup.begin_wal != first_needed) continue;
    return fmt::format(
        "WAL from {} on stays: backup {} {}", first_needed, backup.id.value,
        doomed.contains(backup.id) ? "begins there, and no newer one is left" : "needs it");
  }
  return fmt::format("WAL from {} on stays", first_needed);
}

std::vector<std::string> stay_reasons(const DeletionFacts& facts, const Doomed& doomed,
                                      const std::vector<WalRemovalPlan>& plans) {
  if (plans.empty()) {
    return {"no backup is deleted"};
  }
  const auto removing = std::find_if(plans.rbegin(), plans.rend(),
                                     [](const WalRemovalPlan& plan) { return plan.is_removing; });
  if (removing == plans.rend()) return {"no WAL goes: " + plans.back().reason};
  const WalRemovalPlan& plan = *removing;
  std::vector<std::string> reasons;
  if (plan.first_needed) {
    reasons.push_back(boundary_reason(facts.list.backups, doomed, *plan.first_needed));
  }
  for (const wal::TimelineId timeline : plan.protected_timelines) {
    reasons.push_back(
        fmt::format("WAL of timeline {} stays: a remaining backup is on it", timeline.value));
  }
  for (const wal_archive::SegmentRange& range : plan.protected_ranges) {
    reasons.push_back(fmt::format("WAL from {} to {} stays: a standalone backup needs it",
                                  range.begin, range.end));
  }
  return reasons;
}

void preview_wal(const DeletionFacts& facts, const Doomed& doomed,
                 const std::vector<WalRemovalPlan>& plans, const wal_archive::WalLines& wal,
                 DeletionPreview& preview) {
  const std::vector<WalRemovalPlan> removals = removing_plans(plans);
  std::map<std::uint32_t, WalRun> runs;
  wal([&](const wal_archive::WalIndexLine& line) {
    const bool goes =
        std::any_of(removals.begin(), removals.end(),
                    [&](const WalRemovalPlan& plan) { return plan.removes(line.name); });
    if (!goes) {
      ++preview.kept_wal_count;
      preview.kept_wal_size_bytes += line.size_bytes;
      return wal_archive::Visit::proceed;
    }
    WalRun& run = runs[wal::parse_wal_file_name(line.name)->timeline.value];
    if (run.count == 0 || line.name < run.first) run.first = line.name;
    if (run.count == 0 || line.name > run.last) run.last = line.name;
    ++run.count;
    run.size_bytes += line.size_bytes;
    return wal_archive::Visit::proceed;
  });
  for (auto& [timeline, run] : runs) preview.removed_wal.push_back(std::move(run));
  preview.wal_reasons = stay_reasons(facts, doomed, plans);
}

std::string keep_reason(const DeletionFacts& facts, const BackupInfo& backup) {
  const auto keep = facts.annotations.keeps.find(backup.id);
  if (keep != facts.annotations.keeps.end()) {
    return keep->second == catalogue::KeepTarget::full
               ? "kept with all WAL that follows"
               : "kept with the WAL that makes it consistent";
  }
  return facts.retention ? "not subject to the policy" : "there is no retention policy";
}

void preview_backups(const DeletionFacts& facts, const Doomed& doomed, DeletionPreview& preview) {
  std::map<BackupId, catalogue::RetentionVerdict> verdicts;
  for (catalogue::RetentionVerdict& verdict : verdicts_of(facts, facts.list.backups)) {
    BackupId id = verdict.id;
    verdicts.emplace_hint(verdicts.end(), std::move(id), std::move(verdict));
  }
  const std::vector<BackupInfo>& backups = facts.list.backups;
  for (auto position = backups.rbegin(); position != backups.rend(); ++position) {
    const BackupInfo& backup = *position;
    BackupFate fate{.id = backup.id};
    const auto verdict = verdicts.find(backup.id);
    if (verdict != verdicts.end()) {
      fate.status = verdict->second.status;
      fate.reason =
          facts.deletion_doubt ? "minimum_redundancy is not understood" : verdict->second.reason;
    } else {
      fate.reason = keep_reason(facts, backup);
    }
    if (const auto found = doomed.find(backup.id); found != doomed.end()) {
      fate.action = BackupFate::Action::remove;
      fate.reason = found->second;
    } else if (verdict != verdicts.end() && verdict->second.has_running_descendant &&
               fate.status == catalogue::RetentionStatus::obsolete) {
      fate.action = BackupFate::Action::wait;
      fate.reason += "; waits for the incremental backup that is being taken";
    } else if (fate.status == catalogue::RetentionStatus::obsolete && !facts.is_enforced) {
      fate.reason += facts.retention_doubt
                         ? "; the policy is not enforced (a setting is not understood, or a "
                           "file not read)"
                         : "; the policy is not enforced (retention_policy_mode)";
    }
    preview.backups.push_back(std::move(fate));
  }
  for (auto broken = facts.list.broken.rbegin(); broken != facts.list.broken.rend(); ++broken) {
    preview.backups.push_back(
        {.id = broken->id, .reason = "its metadata cannot be read: " + broken->reason});
  }
}

}  // namespace

std::vector<BackupId> list_doomed(const DeletionFacts& facts) {
  std::vector<BackupId> doomed;
  std::set<BackupId> known;
  const auto add = [&](const BackupInfo& backup) {
    if (facts.annotations.keeps.contains(backup.id)) return;
    if (facts.annotations.unreadable.contains(backup.id)) return;
    // Until somebody has repaired the other one, nobody knows what it needs.
    if (catalogue::unreadable_relative(facts.list, backup) != nullptr) return;
    if (known.insert(backup.id).second) doomed.push_back(backup.id);
  };
  for (const BackupInfo& backup : facts.list.backups) {
    if (facts.annotations.being_deleted.contains(backup.id)) add(backup);
  }
  if (!facts.retention || !facts.is_enforced) return doomed;
  const auto verdicts = verdicts_of(facts, facts.list.backups);
  for (const BackupId& id : catalogue::obsolete_in_order(facts.list.backups, verdicts)) {
    add(*facts.list.find(id));
  }
  return doomed;
}

DeletionPreview preview_deletion(const DeletionFacts& facts, const BackupId& id,
                                 const wal_archive::WalLines& wal) {
  const BackupInfo* const backup = facts.list.find(id);
  DeletionPreview preview;
  if (facts.deletion_doubt) {
    preview.refusal = catalogue::redundancy_not_understood(id, facts.server_name);
    return preview;
  }
  const catalogue::DeletionPlan plan =
      catalogue::plan_deletion(facts.list, *backup, facts.annotations, facts.minimum_redundancy,
                               facts.server_name, facts.branches);
  preview.refusal = plan.refusal;
  preview.warning = plan.warning;
  if (plan.refusal) return preview;
  Doomed doomed;
  for (const BackupId& one : plan.order) {
    doomed[one] =
        one == id ? "to be deleted" : fmt::format("depends on {}, which is deleted", id.value);
  }
  preview_backups(facts, doomed, preview);
  preview_wal(facts, doomed, play_deletions(facts, plan.order, WalRemovalInput::Cause::command),
              wal, preview);
  return preview;
}

DeletionPreview preview_retention(const DeletionFacts& facts, const wal_archive::WalLines& wal) {
  DeletionPreview preview;
  std::vector<BackupId> order = list_doomed(facts);
  std::map<BackupId, std::string> reasons;
  for (const catalogue::RetentionVerdict& verdict : verdicts_of(facts, facts.list.backups)) {
    reasons[verdict.id] = verdict.reason;
  }
  Doomed doomed;
  for (const BackupId& id : order) {
    doomed[id] = facts.annotations.being_deleted.contains(id)
                     ? "its deletion has begun and was interrupted"
                     : reasons[id];
  }
  for (const BackupId& id : facts.superseded_failures) {
    if (facts.deletion_doubt) break;
    if (doomed.emplace(id, "FAILED, and a later backup is DONE").second) order.push_back(id);
  }
  preview_backups(facts, doomed, preview);
  preview_wal(facts, doomed, play_deletions(facts, order, WalRemovalInput::Cause::retention), wal,
              preview);
  return preview;
}

}  // namespace barman::backup
