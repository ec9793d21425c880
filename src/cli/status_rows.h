// The lines of `status`: pure, from facts to rows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "catalogue/backup_info.h"
#include "catalogue/branches.h"
#include "check/server_facts.h"
#include "check/wal_flow.h"
#include "config/server_config.h"
#include "output/server_views.h"

namespace barman::cli {

// `facts` and `flow` for servers that have live values; `backups` ascending by ID.
std::vector<output::StatusRow> make_status_rows(const config::ServerConfig& config,
                                                const std::optional<check::ServerFacts>& facts,
                                                const std::vector<catalogue::BackupInfo>& backups,
                                                const std::optional<check::WalFlow>& flow = {});

// Which backups do not lead to the present; "" when all do, as far as is known.
std::string describe_branches(const catalogue::Branches& branches,
                              const std::vector<catalogue::BackupInfo>& backups);

}  // namespace barman::cli
