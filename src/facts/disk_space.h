// How much room the disk of a server's backups has, and for how long it will do: for `status` and
// `check` on a terminal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/file_system_space.h"
#include "catalogue/backup_info.h"
#include "server/server.h"
#include "wal_archive/wal_statistics.h"

namespace barman::facts {

struct DiskSpace {
  FileSystemSpace space;
  // What came in, of backups and WAL, a day; what retention deletes meanwhile is not taken off.
  // nullopt when there is less than a day of it.
  std::optional<double> bytes_a_day;
  // Of which that is the mean.
  double days = 0;

  std::optional<double> days_until_full() const;
};

// Pure. Of the backups and WAL of the last four weeks, or of the time since the first of them;
// `now` in seconds since the epoch.
DiskSpace measure_growth(const FileSystemSpace& space,
                         const std::vector<catalogue::BackupInfo>& backups,
                         const wal_archive::WalLines& wal, double now);

// nullopt when the backups are not on this host, or nobody can tell. Reads the index without its
// lock.
std::optional<DiskSpace> find_disk_space(const server::Server& server,
                                         const std::vector<catalogue::BackupInfo>& backups);

// "12.0 GiB of 100.0 GiB free (12 %); full in about 10 days at 1.2 GiB a day (mean of 28 days),
// unless older backups go".
std::string describe_space(const DiskSpace& space);

}  // namespace barman::facts
