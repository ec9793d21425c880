// What the words of a backup's metadata (`mode`, `compression`, `data_checksums`) say: where it
// came from, how its files are stored, and whether their pages can be checked. Nobody else compares
// the words.
#pragma once

#include "catalogue/backup_info.h"

namespace barman::catalogue {

// The mode of a backup of files of this host into a bucket.
inline constexpr const char* kLocalToCloudMode = "local-to-cloud-concurrent";
// The mode of a backup by streaming.
inline constexpr const char* kPostgresMode = "postgres";

enum class SourceKind { postgres_stream, rsync, snapshot, unknown };
// As they are, or each tree as a tar archive (of any compression, "none" included).
enum class StoredForm { plain, tar };

SourceKind source_of(const BackupInfo& backup);
StoredForm stored_form_of(const BackupInfo& backup);

// Of the cluster's pages; old backups do not tell.
enum class DataChecksums { unknown, off, on };
DataChecksums data_checksums_of(const BackupInfo& backup);

}  // namespace barman::catalogue
