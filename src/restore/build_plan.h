// The decisions of a restore: pure functions from what was found and what was asked for to a plan
// or a refusal. Everything that can be known beforehand is refused here, before the first write.
#pragma once

#include <map>
#include <string>

#include "config/server_config.h"
#include "restore/recovery_target.h"
#include "restore/restore_facts.h"
#include "restore/restore_plan.h"
#include "restore/restore_request.h"

namespace barman::restore {

// Tablespace name -> directory.
using Relocations = std::map<std::string, std::string>;

// The checks that need the backup's metadata only, in the order of Barman, then what this version
// cannot restore.
Relocations check_request(const RestoreRequest& request, const catalogue::BackupInfo& backup,
                          const config::ServerConfig& config);

// Where a tablespace goes.
std::string location_of(const catalogue::Tablespace& tablespace, const Relocations& relocations);

// Tablespaces first, the data directory last.
std::vector<copy::TreeCopy> list_trees(const RestoreFacts& facts, const std::string& destination,
                                       const Relocations& relocations);

// `target` is that of the request, read (parse_target()).
RestorePlan build_plan(const RestoreFacts& facts, const RestoreRequest& request,
                       const RecoveryTarget& target, const Relocations& relocations);

}  // namespace barman::restore
