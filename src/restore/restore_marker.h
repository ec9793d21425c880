// `.barman-restoring`: which restore writes here. It stands in the destination directory, durable
// before anything else is written there, and then in every directory outside of it that the restore
// writes: the locations of tablespaces, a staging directory of WAL. It goes away when only the
// final name of pg_control is missing, so a directory with it holds an interrupted restore and
// nothing that anybody needs. The one of the destination keeps the places that were chosen, for the
// restore that goes on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "catalogue/backup_id.h"

namespace barman::restore {

struct RestoreMarker {
  std::string server_name;
  catalogue::BackupId backup_id;
  // Links resolved; empty in markers of older versions, as the other places are.
  std::filesystem::path destination;
  // By OID; absolute.
  std::map<std::uint32_t, std::filesystem::path> tablespaces;
  // Outside of the destination.
  std::optional<std::filesystem::path> staging_wal;

  bool is_of(const std::string& server, const catalogue::BackupId& backup) const {
    return server_name == server && backup_id == backup;
  }
  friend bool operator==(const RestoreMarker&, const RestoreMarker&) = default;
};

inline constexpr const char* kRestoreMarkerName = ".barman-restoring";

// Lines KEY=VALUE; line breaks and backslashes in paths as "\n", "\\".
std::string format_restore_marker(const RestoreMarker& marker);
// nullopt when server or backup are not in it.
std::optional<RestoreMarker> parse_restore_marker(const std::string& text);

// Durable when it returns.
void write_restore_marker(const std::filesystem::path& directory, const RestoreMarker& marker);
// nullopt when there is none, or none that can be understood.
std::optional<RestoreMarker> find_restore_marker(const std::filesystem::path& directory);
void remove_restore_marker(const std::filesystem::path& directory);

}  // namespace barman::restore
