#include "catalogue/chain_doubt.h"

#include <algorithm>
#include <cstddef>

#include <fmt/format.h>

namespace barman::catalogue {

std::string find_chain_doubt(const std::vector<BackupInfo>& backups, const Annotations& annotations,
                             const BackupInfo& backup) {
  if (std::string doubt = find_doubt(backup, annotations); !doubt.empty()) return doubt;
  const BackupInfo* child = &backup;
  // A chain that bites its tail has more links than there are backups.
  for (std::size_t links = 0; child->parent_backup_id && links <= backups.size(); ++links) {
    const BackupId& id = *child->parent_backup_id;
    const std::string name =
        fmt::format("its {} {}", child == &backup ? "parent" : "ancestor", id.value);
    const auto parent = std::lower_bound(
        backups.begin(), backups.end(), id,
        [](const BackupInfo& other, const BackupId& wanted) { return other.id < wanted; });
    if (parent == backups.end() || parent->id != id) return name + " is not in the catalogue";
    if (!parent->is_copy_done()) {
      return fmt::format("{} is {}", name, status_text(parent->status));
    }
    if (const std::string doubt = find_doubt(*parent, annotations); !doubt.empty()) {
      return fmt::format("of {}: {}", name.substr(4), doubt);
    }
    child = &*parent;
  }
  return child->parent_backup_id ? "its chain of parents has no end" : "";
}

}  // namespace barman::catalogue
