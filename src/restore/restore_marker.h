// `.barman-restoring` in a destination directory: which restore writes there. It is durable before
// anything else is written, and goes away when only the final name of pg_control is missing, so a
// directory with it holds an interrupted restore and nothing that anybody needs.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "catalogue/backup_id.h"

namespace barman::restore {

struct RestoreMarker {
  std::string server_name;
  catalogue::BackupId backup_id;
  friend bool operator==(const RestoreMarker&, const RestoreMarker&) = default;
};

inline constexpr const char* kRestoreMarkerName = ".barman-restoring";

// Durable when it returns.
void write_restore_marker(const std::filesystem::path& directory, const RestoreMarker& marker);
// nullopt when there is none, or none that can be understood.
std::optional<RestoreMarker> find_restore_marker(const std::filesystem::path& directory);
void remove_restore_marker(const std::filesystem::path& directory);

}  // namespace barman::restore
