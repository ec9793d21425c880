// What an export must be to be imported, as far as its small files tell.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/progress.h"
#include "catalogue/backup_info.h"
#include "catalogue/catalogue.h"
#include "transfer/staging.h"
#include "wal_archive/wal_index.h"

namespace barman::transfer {

// Throws `conflict` for another cluster; another version is a warning.
void require_identity(const Staging& content, const catalogue::Identity& identity,
                      Messages& messages);
// `backup.info`, without children, which did not come along. Throws `corrupt` for what is no
// complete full backup, and when the backup or its WAL is not in the export.
catalogue::BackupInfo load_imported_info(const Staging& content, const catalogue::BackupId& id);
// The lines of the WAL that the backup needs, by name. Throws `corrupt` for a segment that has no
// line, or that `is_there` does not know.
std::vector<wal_archive::WalIndexEntry> list_required_wals(
    const Staging& content, const catalogue::BackupInfo& info,
    const std::function<bool(const std::string& name)>& is_there);
// Throws `conflict` unless the list is empty: names that the archive has with other content.
void require_no_conflicts(std::vector<std::string> names);
// Of any status.
Error already_there(const std::string& server_name, const catalogue::BackupId& id);

}  // namespace barman::transfer
