// Trees of incremental backups (catalogue.h).
#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "catalogue/catalogue.h"

namespace barman::catalogue {
namespace {

void add_descendants(const std::vector<BackupInfo>& backups, const BackupId& id,
                     std::set<BackupId>& seen, std::vector<BackupId>& result) {
  for (const BackupId& child : children_of(backups, id)) {
    if (!seen.insert(child).second) continue;
    add_descendants(backups, child, seen, result);
    result.push_back(child);
  }
}

}  // namespace

std::vector<BackupId> children_of(const std::vector<BackupInfo>& backups, const BackupId& id) {
  std::set<BackupId> children;
  for (const BackupInfo& backup : backups) {
    if (backup.parent_backup_id == id) children.insert(backup.id);
  }
  if (const BackupInfo* const parent = find_backup(backups, id)) {
    for (const BackupId& child : parent->children_backup_ids) {
      const BackupInfo* const info = find_backup(backups, child);
      // A list that names a backup of another parent, or one that is gone, is wrong.
      if (info != nullptr && (!info->parent_backup_id || info->parent_backup_id == id)) {
        children.insert(child);
      }
    }
  }
  children.erase(id);
  return {children.begin(), children.end()};
}

std::vector<BackupId> descendants_of(const std::vector<BackupInfo>& backups, const BackupId& id) {
  std::set<BackupId> seen = {id};
  std::vector<BackupId> result;
  add_descendants(backups, id, seen, result);
  return result;
}

const BackupInfo* root_of(const std::vector<BackupInfo>& backups, const BackupInfo& backup) {
  const BackupInfo* current = &backup;
  // A chain is not longer than the catalogue, unless damaged parents form a circle.
  for (std::size_t step = 0; step <= backups.size(); ++step) {
    if (!current->parent_backup_id) return current;
    current = find_backup(backups, *current->parent_backup_id);
    if (current == nullptr) return nullptr;
  }
  return nullptr;
}

}  // namespace barman::catalogue
