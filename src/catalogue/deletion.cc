#include "catalogue/deletion.h"

#include <algorithm>

#include <fmt/format.h>

namespace barman::catalogue {
namespace {

bool counts_as_redundancy(const BackupInfo& backup) {
  return backup.status == BackupStatus::done && !backup.is_incremental();
}

}  // namespace

std::string keep_refusal(const BackupId& id, std::string_view server_name) {
  return fmt::format(
      "Skipping delete of backup {} for server {} as it has a current keep request. If you really "
      "want to delete this backup please remove the keep and try again.",
      id.value, server_name);
}

DeletionPlan plan_deletion(const std::vector<BackupInfo>& backups, const BackupInfo& backup,
                           const Annotations& annotations, std::uint64_t minimum_redundancy,
                           std::string_view server_name) {
  DeletionPlan plan;
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
  const auto redundancy = static_cast<std::uint64_t>(
      std::count_if(backups.begin(), backups.end(), counts_as_redundancy));
  if (counts_as_redundancy(backup) && minimum_redundancy >= redundancy) {
    plan.refusal = fmt::format(
        "Skipping delete of backup {} for server {} due to minimum redundancy requirements "
        "(minimum redundancy = {}, current redundancy = {})",
        backup.id.value, server_name, minimum_redundancy, redundancy);
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
