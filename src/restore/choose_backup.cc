#include "restore/choose_backup.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/error.h"
#include "base/shown_time.h"
#include "base/text.h"
#include "catalogue/backup_order.h"
#include "catalogue/chain_doubt.h"
#include "catalogue/newest_backup.h"

namespace barman::restore {

using catalogue::Annotations;
using catalogue::BackupInfo;
using catalogue::BackupList;
using catalogue::Branches;

namespace {

// What --target-tli means before there is a backup to be relative to.
std::optional<wal::TimelineId> absolute_timeline(const RecoveryTarget& target,
                                                 const Branches& branches) {
  if (!target.timeline) return branches.present();
  if (target.timeline->kind == wal::TimelineTarget::Kind::number) return target.timeline->timeline;
  // "latest": refuse_target_for_automatic_choice() leaves no other word.
  if (branches.last_segments.empty()) return std::nullopt;
  return branches.last_segments.rbegin()->first;
}

// In what the target is given in.
std::string moment_of_end(const BackupInfo& backup, const RecoveryTarget& target) {
  if (target.lsn) return "LSN " + wal::format_lsn(*backup.end_xlog);
  return shown_time(*backup.end_time);
}

Error no_candidate(const RecoveryTarget& target, const Branches& branches,
                   std::optional<wal::TimelineId> timeline,
                   const std::vector<std::string>& passed_over, const BackupInfo* earliest) {
  std::string hint =
      "Run 'barman list-backups' to see which backups there are and when they ended.";
  if (earliest != nullptr) {
    hint = fmt::format("The earliest moment that can be restored is {}, the end of backup {}.",
                       moment_of_end(*earliest, target), earliest->id.value);
  }
  if (!passed_over.empty()) {
    return {ErrorKind::not_found, "Cannot find any candidate backup for recovery.",
            with_zone_doubt(target, join(passed_over, " ") +
                                        " Bring their files back, or name another backup.")};
  }
  if (timeline) {
    const std::string problem = branches.history_problem(*timeline);
    hint = fmt::format(
        "No backup leads to timeline {}{}. 'barman catalogue-check' shows the "
        "branches; choose one with --target-tli, or name a backup.",
        timeline->value, problem.empty() ? "" : " (" + problem + ")");
  }
  return {ErrorKind::not_found, "Cannot find any candidate backup for recovery.",
          with_zone_doubt(target, hint)};
}

Error no_backup_at_all(const BackupList& list) {
  const std::size_t count = list.backups.size();
  return {ErrorKind::not_found, "Cannot find any candidate backup for recovery.",
          (count == 0 ? std::string("This server has no backups.")
                      : fmt::format("None of its {} backups is complete: 'barman list-backups' "
                                    "shows them.",
                                    count)) +
              " While PostgreSQL lives, take one: 'barman backup'. If it is lost: another node may "
              "have backups of it (barman list-backups all), or a standby its data."};
}

}  // namespace

void refuse_target_for_automatic_choice(const TargetRequest& request) {
  const char* refused = nullptr;
  if (request.xid) refused = "target_xid";
  if (request.name) refused = "target_name";
  if (request.immediate) refused = "target_immediate";
  if (refused != nullptr) {
    throw Error(
        ErrorKind::usage,
        fmt::format("For PITR without a backup_id, the only possible recovery targets are "
                    "target_time and target_lsn. '{}' recovery target is not allowed without a "
                    "backup_id.",
                    refused),
        "Name a backup instead of 'auto'.");
  }
  if (request.timeline && request.timeline->kind == wal::TimelineTarget::Kind::current) {
    throw Error(ErrorKind::usage,
                "'current' is not a valid timeline keyword when recovering without a backup_id",
                "Give the number of the timeline, 'latest', or a backup.");
  }
}

BackupChoice choose_backup(const BackupList& list, const Annotations& annotations,
                           const RecoveryTarget& target, const Branches& branches) {
  const std::optional<wal::TimelineId> timeline = absolute_timeline(target, branches);
  const auto ended_before_target = [&](const BackupInfo& backup) {
    if (target.time && (!backup.end_time || *backup.end_time > *target.time)) return false;
    return !target.lsn || (backup.end_xlog && *backup.end_xlog <= *target.lsn);
  };
  BackupChoice choice;
  bool is_timeline_known = !timeline;
  // Of those that ended behind the target.
  const BackupInfo* earliest = nullptr;
  const std::vector<const BackupInfo*> by_age = catalogue::in_order_of_age(list.backups);
  for (auto next = by_age.rbegin(); next != by_age.rend(); ++next) {
    const BackupInfo& backup = **next;
    if (!backup.is_copy_done() || annotations.being_deleted.contains(backup.id)) continue;
    const bool is_on_the_way = !timeline || branches.descends_from(*timeline, backup);
    is_timeline_known = is_timeline_known || is_on_the_way;
    if (!ended_before_target(backup)) {
      const bool is_usable = is_on_the_way && backup.end_time && backup.end_xlog &&
                             catalogue::find_chain_doubt(list.backups, annotations, backup).empty();
      if (is_usable) earliest = &backup;
      continue;
    }
    if (!is_on_the_way) {
      if (!target.timeline) choice.notes.push_back(catalogue::passed_over_note(backup, branches));
      continue;
    }
    const std::string doubt = catalogue::find_chain_doubt(list.backups, annotations, backup);
    if (!doubt.empty()) {
      choice.warnings.push_back(fmt::format("Backup {} is passed over, it cannot be restored: {}.",
                                            backup.id.value, doubt));
      continue;
    }
    choice.backup = backup;
    return choice;
  }
  const bool has_any = std::any_of(list.backups.begin(), list.backups.end(),
                                   [](const BackupInfo& backup) { return backup.is_copy_done(); });
  if (!has_any) throw no_backup_at_all(list);
  throw no_candidate(target, branches, is_timeline_known ? std::nullopt : timeline, choice.warnings,
                     earliest);
}

}  // namespace barman::restore
