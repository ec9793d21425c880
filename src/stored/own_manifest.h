// The backup_manifest of a backup, as against one that came with the files of the cluster.
// PostgreSQL leaves that of the backup from which a cluster was made in its data directory, and
// Barman's rsync copies it: it describes files of long ago. Backups that are streamed, or copied by
// us, leave it out.
#pragma once

#include <filesystem>
#include <optional>

#include "catalogue/backup_info.h"
#include "stored/manifest_index.h"

namespace barman::stored {

// Whether that manifest is not of this backup, but a file that was copied with it.
bool is_copied_manifest(const catalogue::BackupInfo& backup, const ManifestFacts& facts);

// nullopt when there is none, or only a copied one, which is a warning of the log. Throws
// `corrupt` when it is damaged.
std::optional<ManifestIndex> load_own_manifest(const catalogue::BackupInfo& backup,
                                               const std::filesystem::path& path);

// Whether there is one, damaged or not.
bool has_own_manifest(const catalogue::BackupInfo& backup, const std::filesystem::path& path);

}  // namespace barman::stored
