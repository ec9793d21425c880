// The answer of the primary to sync-info, as a passive node keeps it in `primary.info`. Foreign
// bytes: names, IDs and paths in it are checked here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "catalogue/backup_info.h"
#include "wal_archive/wal_index.h"

namespace barman::sync {

struct PrimaryInfo {
  std::uint64_t last_position = 0;
  std::string last_name;
  std::vector<catalogue::BackupInfo> backups;  // ascending
  std::uint64_t wal_count = 0;
  std::string compression;  // the primary's option, "" = none
  // On the primary's host; absolute. The first one only if it is told.
  std::optional<std::filesystem::path> backup_directory;
  std::filesystem::path basebackups_directory;
  std::filesystem::path wals_directory;

  const catalogue::BackupInfo* find_backup(const catalogue::BackupId& id) const;
};

using WalVisitor = std::function<void(const wal_archive::WalIndexEntry&)>;

// Reads `file` from its beginning, as often as wanted. The list of WAL is handed on line by line
// and not kept; memory is that of the backups. Throws `corrupt` naming `path`.
PrimaryInfo read_primary_info(const Fd& file, const std::filesystem::path& path,
                              const WalVisitor& on_wal = {});

// <backup_directory>/primary.info
std::filesystem::path primary_info_path(const catalogue::CatalogueLocations& locations);

}  // namespace barman::sync
