#include "catalogue/deletion.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/hint.h"

namespace barman::catalogue {
namespace {

bool counts_as_redundancy(const BackupInfo& backup, const Annotations& annotations,
                          const Branches& branches) {
  return backup.status == BackupStatus::done && !backup.is_incremental() &&
         find_doubt(backup, annotations).empty() && branches.counts(backup);
}

}  // namespace

const BrokenBackup* unreadable_relative(const BackupList& list, const BackupInfo& backup) {
  if (list.broken.empty()) return nullptr;
  for (const BackupId& child : backup.children_backup_ids) {
    if (const BrokenBackup* const broken = list.find_broken(child)) return broken;
  }
  const BackupInfo* link = &backup;
  // Damaged metadata may name parents in a circle.
  for (std::size_t steps = 0; link != nullptr && steps < list.backups.size(); ++steps) {
    if (!link->parent_backup_id) return nullptr;
    const BackupId& parent = *link->parent_backup_id;
    if (const BrokenBackup* const broken = list.find_broken(parent)) return broken;
    link = list.find(parent);
  }
  return nullptr;
}

std::string keep_refusal(const BackupId& id, std::string_view server_name) {
  return with_hint(
      fmt::format("Skipping delete of backup {} for server {} as it has a current keep request. If "
                  "you really want to delete this backup please remove the keep and try again.",
                  id.value, server_name),
      fmt::format("barman keep --release {} {}", server_name, id.value));
}

std::string redundancy_not_understood(const BackupId& id, std::string_view server_name) {
  return fmt::format(
      "Skipping delete of backup {} for server {}: its minimum_redundancy is not understood",
      id.value, server_name);
}

DeletionPlan plan_deletion(const BackupList& list, const BackupInfo& backup,
                           const Annotations& annotations, std::uint64_t minimum_redundancy,
                           std::string_view server_name, const Branches& branches) {
  DeletionPlan plan;
  const std::vector<BackupInfo>& backups = list.backups;
  std::vector<BackupId> order = descendants_of(backups, backup.id);
  const bool has_descendants = !order.empty();
  order.push_back(backup.id);
  const auto kept = std::find_if(order.rbegin(), order.rend(), [&](const BackupId& id) {
    return annotations.keeps.contains(id);
  });
  if (kept != order.rend()) {
    plan.refusal = keep_refusal(*kept, server_name);
    return plan;
  }
  for (const BackupId& id : order) {
    const auto unreadable = annotations.unreadable.find(id);
    if (unreadable == annotations.unreadable.end()) continue;
    plan.refusal = fmt::format(
        "Skipping delete of backup {} for server {}: whether backup {} is kept is not known, since "
        "{}. Make it readable for the user of barman, and try again.",
        backup.id.value, server_name, id.value, unreadable->second);
    return plan;
  }
  const auto redundancy = static_cast<std::uint64_t>(std::count_if(
      backups.begin(), backups.end(),
      [&](const BackupInfo& other) { return counts_as_redundancy(other, annotations, branches); }));
  if (counts_as_redundancy(backup, annotations, branches) && minimum_redundancy >= redundancy) {
    plan.refusal = fmt::format(
        "Skipping delete of backup {} for server {} due to minimum redundancy requirements "
        "(minimum redundancy = {}, current redundancy = {})",
        backup.id.value, server_name, minimum_redundancy, redundancy);
    return plan;
  }
  for (const BackupId& id : order) {
    const BackupInfo* const doomed = list.find(id);
    const BrokenBackup* const broken = doomed ? unreadable_relative(list, *doomed) : nullptr;
    if (broken == nullptr) continue;
    plan.refusal = fmt::format(
        "Skipping delete of backup {} for server {} as the metadata of backup {}, which is of the "
        "same tree, cannot be read: {}. Repair \"{}\", or restore it from a copy, and try again.",
        backup.id.value, server_name, broken->id.value, broken->reason, broken->path.string());
    return plan;
  }
  if (has_descendants) {
    plan.warning = fmt::format(
        "Backup {} has incremental backups which depend on it. Deleting all backups in the tree",
        backup.id.value);
  }
  plan.order = std::move(order);
  return plan;
}

}  // namespace barman::catalogue
