// The sizes of a stored backup.
#pragma once

#include <cstdint>
#include <filesystem>

#include "catalogue/backup_info.h"

namespace barman::catalogue {

struct BackupSize {
  std::int64_t size_bytes = 0;
  // Of the files with one name only: those that no other backup shares.
  std::int64_t deduplicated_bytes = 0;
};

enum class SyncFiles { no, yes };

// Sums the regular files below `directory` in one walk that follows no symbolic link; with
// SyncFiles::yes each file and directory is fsynced on the way. A missing directory is empty.
BackupSize measure_backup(const std::filesystem::path& directory, SyncFiles sync);

}  // namespace barman::catalogue
