// `.locked-wal` in the directory of a server: WAL that nobody needs and that its bucket did not let
// go, since its objects are locked. It keeps its lines in the index; cron removes it when its time
// is over, and so does every other removal of WAL. One line, "COUNT NAME TIME": how many files, the
// first one, and when the last one may be asked for again, in seconds since 1970.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/timestamp.h"

namespace barman::wal_archive {

struct LockedWal {
  std::uint64_t count = 0;
  std::string first;
  Timestamp until;
};

// nullopt when there is none, or none that can be read: then the next deletion tries again.
std::optional<LockedWal> find_locked_wal(const std::filesystem::path& server_directory);
// nullopt forgets it. Without a place for it (a full disk) it is a line of the log.
void note_locked_wal(const std::filesystem::path& server_directory,
                     const std::optional<LockedWal>& locked);

}  // namespace barman::wal_archive
