// The WAL files that belong to a backup, as list-files tells them.
#pragma once

#include <string>
#include <vector>

#include "catalogue/backup_info.h"
#include "wal_archive/wal_statistics.h"

namespace barman::wal_archive {

// The archived segments from the begin of `backup` to the end of the next usable one in `backups`
// (or to the end of the archive), on timelines up to its own, and the history files that stand
// before that point in the index. None when its begin is unknown.
std::vector<std::string> list_wals_until_next(const std::vector<catalogue::BackupInfo>& backups,
                                              const catalogue::BackupInfo& backup,
                                              const WalLines& lines);

}  // namespace barman::wal_archive
