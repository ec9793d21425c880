// Deleting backups: by hand, and by retention policy.
//
// A backup is marked `delete_this` before anything of it goes, and the mark is removed last,
// together with its metadata: a deletion that was killed is resumed by the next delete or cron, and
// a backup with the mark is never offered for a restore. WAL goes only when no remaining backup
// needs it.
//
// Nothing is deleted that somebody restores, checks or keeps: the decision is made again under the
// lock of the backup, and `keep` takes part in that lock.
#pragma once

#include "backup/deletion_preview.h"
#include "base/progress.h"
#include "catalogue/backup_info.h"
#include "catalogue/catalogue.h"
#include "catalogue/retention.h"
#include "config/server_config.h"
#include "server/server.h"

namespace barman::backup {

// What the configured words mean. A minimum that is not understood is more than there can be.
std::uint64_t minimum_redundancy_of(const config::ServerConfig& config);
catalogue::RetentionRule retention_rule_of(const config::RetentionPolicy& policy);
// The facts for catalogue::apply_retention(); the server must have a retention policy.
catalogue::RetentionInput retention_input(const server::Server& server,
                                          const std::vector<catalogue::BackupInfo>& backups,
                                          const catalogue::Annotations& annotations);

// What the plans of deletions are made of, as the catalogue is now.
DeletionFacts gather_deletion_facts(const server::Server& server);
// The same of a list that was read already.
DeletionFacts make_deletion_facts(const server::Server& server, catalogue::BackupList list);

// `delete SERVER ID`: the backup and the incrementals that depend on it. Refusals and failures are
// reported, false then. Takes the server's backup lock.
bool delete_backup(const server::Server& server, const catalogue::BackupInfo& backup,
                   Messages& messages);

// What cron does for the backups of a server, unless another process holds the backup lock: marks
// abandoned backups FAILED, completes deletions that were interrupted, applies the retention policy
// (if there is one and its mode is `auto`).
void enforce_retention(const server::Server& server, catalogue::BackupListReader& reader,
                       Messages& messages);

}  // namespace barman::backup
