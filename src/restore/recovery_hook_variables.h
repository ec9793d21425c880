// What recovery hooks find in their environment.
#pragma once

#include "restore/build_plan.h"
#include "server/hook_scripts.h"
#include "server/server.h"

namespace barman::restore {

server::HookVariables hook_variables(const server::Server& server,
                                     const catalogue::BackupInfo& backup,
                                     const RestoreRequest& request, const Relocations& relocations);

// {"target_lsn": "0/1700060"}: the given ones, sorted; "" when there are none.
std::string recover_options_json(const RestoreRequest& request);

}  // namespace barman::restore
