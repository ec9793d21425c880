// Which backups a user may exempt from the retention policy. Pure.
#pragma once

#include <optional>
#include <string>

#include "catalogue/backup_info.h"

namespace barman::catalogue {

// Why `keep --target` is refused for a backup, as the user is told; nullopt when it may be kept.
// Only complete backups that stand for themselves can be kept: an incremental one is kept through
// its root.
std::optional<std::string> find_keep_refusal(const BackupInfo& backup);

}  // namespace barman::catalogue
