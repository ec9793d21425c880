// Whether a restore can count on a backup and on everything that it builds on, as far as metadata
// and directories tell. Pure.
#pragma once

#include <string>
#include <vector>

#include "catalogue/backup_info.h"
#include "catalogue/catalogue.h"

namespace barman::catalogue {

// "its directory is missing", "its parent 20261121T014237 is not in the catalogue", "its ancestor
// 20261121T014237 is FAILED"; "" when there is no doubt. `backups` ascending by ID.
std::string find_chain_doubt(const std::vector<BackupInfo>& backups, const Annotations& annotations,
                             const BackupInfo& backup);

}  // namespace barman::catalogue
