// The lines of `status`: pure, from facts to rows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "catalogue/backup_info.h"
#include "catalogue/branches.h"
#include "config/server_config.h"
#include "facts/server_facts.h"
#include "facts/wal_flow.h"

namespace barman::facts {

struct StatusRow {
  std::string key;
  std::string label;
  std::string message;
};

// `facts` and `flow` for servers that have live values; `backups` ascending by ID.
std::vector<StatusRow> make_status_rows(const config::ServerConfig& config,
                                        const std::optional<ServerFacts>& facts,
                                        const std::vector<catalogue::BackupInfo>& backups,
                                        const std::optional<WalFlow>& flow = {});

// Which backups do not lead to the present; "" when all do, as far as is known.
std::string describe_branches(const catalogue::Branches& branches,
                              const std::vector<catalogue::BackupInfo>& backups);

}  // namespace barman::facts
