// `follow-upgrade`: puts the catalogue of a server aside whose cluster is another one now, and
// begins an empty one under the old name (upgrade/upgrade_plan.h).
//
// The receiver of the server is ended, WAL that has arrived is archived, and the locks of the
// server are held, so that nothing comes in meanwhile. Then: a note of the chosen name in the old
// catalogue, the section, the directories by rename(2), that of the server last: the commit point.
// From there until the new catalogue has its identity.json, other commands say that the catalogue
// is not there; whatever ends this one, it goes on where it was when it is run again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "config/configuration.h"
#include "server/server.h"
#include "upgrade/upgrade_plan.h"

namespace barman::upgrade {

// The servers that have got catalogues which were this server's.
std::vector<std::string> list_predecessors(const std::string& server,
                                           const config::Configuration& configuration);

struct UpgradeRequest {
  std::optional<std::string> old_name{};
};

// Asks PostgreSQL and the catalogue, and changes nothing. Throws what plan_upgrade() throws, and
// `conflict` or `io` when a directory cannot be renamed (a mount point, a link, a place that is
// taken), or when the catalogue is not there.
UpgradePlan prepare_upgrade(const server::Server& server,
                            const config::Configuration& configuration,
                            const UpgradeRequest& request);

// Throws `conflict` when a backup, a restore or another process of the server runs.
void follow_upgrade(const server::Server& server, const config::Configuration& configuration,
                    const UpgradeRequest& request, Messages& messages);

}  // namespace barman::upgrade
