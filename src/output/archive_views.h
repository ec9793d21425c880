// Results about the WAL archive and the processes of a server: check-wal-archive,
// check-archived-wal-range, list-processes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalogue/locks.h"
#include "output/reporter.h"

namespace barman::output {

// `problem` nullopt: the archive may be used. Otherwise it becomes an error.
void write_archive_check(Reporter& reporter, std::string_view server,
                         const std::optional<std::string>& problem);

struct CheckedWalRange {
  std::string begin_wal;
  std::string end_wal;
};
// `missing` nullopt: the segment size is unknown, because there is no backup to tell it.
void write_wal_range_check(Reporter& reporter, std::string_view server,
                           const CheckedWalRange& range,
                           const std::optional<std::vector<std::string>>& missing);

// `work`: lines about work that is under way, for people. Not all of it holds a lock, which is what
// makes one of the processes.
void write_processes(Reporter& reporter, std::string_view server,
                     const std::vector<catalogue::ServerProcess>& processes,
                     const std::vector<std::string>& work);

}  // namespace barman::output
