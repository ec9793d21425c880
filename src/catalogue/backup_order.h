// The order in which backups were taken. IDs are digits of a local clock: one that was set back, or
// the hour that comes twice when daylight saving ends, gives a later backup a lower ID. New IDs are
// always later than those before (Catalogue::make_next_id()); this order puts right what older
// versions, and the real Barman, have left. Pure.
#pragma once

#include <vector>

#include "catalogue/backup_info.h"

namespace barman::catalogue {

// Oldest first, by the moment at which each began. A clock that went back while both IDs and WAL
// went on is not believed.
std::vector<const BackupInfo*> in_order_of_age(const std::vector<BackupInfo>& backups);

}  // namespace barman::catalogue
