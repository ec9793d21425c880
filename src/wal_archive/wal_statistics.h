// How much WAL belongs to each backup, as list-backups and show-backup tell it. One pass over the
// index serves all backups of a server; memory depends on their number only.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalogue/backup_info.h"
#include "wal/lsn.h"
#include "wal_archive/wal_index.h"

namespace barman::wal_archive {

struct WalFileTime {
  std::string name;
  double mtime = 0;
};

struct WalStatistics {
  // begin_wal to end_wal.
  std::uint64_t wal_num = 0;
  std::uint64_t wal_size = 0;
  // After end_wal, up to the end of the next usable backup.
  std::uint64_t wal_until_next_num = 0;
  std::uint64_t wal_until_next_size = 0;
  // begin_wal when it is archived, and the last file of both groups.
  std::optional<WalFileTime> first;
  std::optional<WalFileTime> last;
  double wal_total_seconds = 0;
  double wals_per_second = 0;
  double wal_compression_ratio = 0;
  double wal_until_next_compression_ratio = 0;
};

// Calls the visitor for each line of the index, in any order.
using WalLines = std::function<void(const WalIndexVisitor&)>;

// One result a backup, in the order of `backups` (ascending by ID, all statuses). Throws `corrupt`:
// "invalid WAL segment name 'X'".
std::vector<WalStatistics> wal_statistics(const std::vector<catalogue::BackupInfo>& backups,
                                          const WalLines& lines);
// For one of them; its neighbours decide where its WAL ends.
WalStatistics wal_statistics_of(const std::vector<catalogue::BackupInfo>& backups,
                                const catalogue::BackupId& id, const WalLines& lines);

// The timelines that fork from the backup's own at or after its end: 2, 3. `read_history` gives the
// text of a history file, nullopt when it is not archived; files are asked for as long as the next
// number exists.
using HistoryReader = std::function<std::optional<std::string>(wal::TimelineId)>;
std::vector<wal::TimelineId> children_timelines(const catalogue::BackupInfo& backup,
                                                const HistoryReader& read_history);

}  // namespace barman::wal_archive
