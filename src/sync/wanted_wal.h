// Geographical redundancy: what a passive node is told of the WAL of its primary. A passive node
// names the last WAL that it has and where the line of that WAL stands in the index of the primary,
// so that nobody reads a million lines each minute.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalogue/backup_info.h"
#include "wal_archive/wal_index.h"

namespace barman::sync {

struct SyncRequest {
  // nullopt: all WAL from the first backup on.
  std::optional<std::string> last_wal;
  // A hint where the line of last_wal begins; wrong ones cost time only.
  std::optional<std::uint64_t> last_position;
};

// The text of `sync-wals.info`: "<name>\t<position>". Nothing for what names no WAL file.
SyncRequest parse_sync_position(std::string_view text);
std::string format_sync_position(std::string_view last_name, std::uint64_t last_position);

struct WantedWal {
  // The last line of the index: where it begins and its name; 0 and "" when the index is empty.
  std::uint64_t last_position = 0;
  std::string last_name;
  // The lines from this offset on whose names are included.
  std::uint64_t begin_offset = 0;
  bool includes(std::string_view name) const;

  // Only later names, or only these and later ones; names of WAL files sort by text.
  std::optional<std::string> after;
  std::optional<std::string> from;
  // How many there are.
  std::uint64_t count = 0;
};

// `backups`: those that are told, ascending. Reads all selected lines once, so that a damaged one
// is found before anything is sent: throws `corrupt` naming it. Throws `conflict` when last_wal is
// older than the first or newer than the last line.
WantedWal select_wals(const wal_archive::WalIndexSnapshot& index,
                      const std::vector<catalogue::BackupInfo>& backups,
                      const SyncRequest& request);

}  // namespace barman::sync
