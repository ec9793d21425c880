// What the commands about backups ask of the catalogue beside the metadata: the WAL of each backup
// and the verdict of the retention policy.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/progress.h"
#include "catalogue/retention.h"
#include "server/server.h"
#include "wal_archive/wal_statistics.h"

namespace barman::facts {

// All backups of the server, ascending by ID; metadata files that cannot be read become warnings.
std::vector<catalogue::BackupInfo> list_readable_backups(Messages& messages,
                                                         const server::Server& server);
// Of metadata that cannot be read, and of what another program has deleted.
void warn_of_left_out(Messages& messages, const catalogue::BackupList& list,
                      const std::string& server_name);
// Of all backups, with the warnings of list_readable_backups(), warn_of_unread_bucket() and
// warn_of_doubts(): what of the catalogue cannot be counted on.
catalogue::KnownBackups load_and_warn(Messages& messages, const server::Server& server);
// Complete backups that cannot be restored, as far as what is there tells: their files, or those
// that they build on, are missing.
void warn_of_doubts(Messages& messages, const server::Server& server,
                    const catalogue::KnownBackups& known);
void warn_of_doubt(Messages& messages, const server::Server& server,
                   const catalogue::KnownBackups& known, const catalogue::BackupInfo& backup);
// That a bucket could not be asked for `annotations`: what is shown is what this host knows.
void warn_of_unread_bucket(Messages& messages, const server::Server& server,
                           const catalogue::Annotations& annotations);

// The lines of the server's WAL index, under its lock. A name that is none of WAL files ends the
// visit with a hint to rebuild the index.
wal_archive::WalLines wal_lines(const server::Server& server);

// Of the timeline history files in `wals/`, whatever they are stored in; one that cannot be read is
// a warning.
wal_archive::HistoryReader read_archived_history(Messages& messages, const server::Server& server);

// nullopt without a retention policy.
using RetentionStatuses = std::map<catalogue::BackupId, catalogue::RetentionStatus>;
std::optional<RetentionStatuses> list_retention_statuses(
    const server::Server& server, const std::vector<catalogue::BackupInfo>& backups,
    const catalogue::Annotations& annotations);

}  // namespace barman::facts
