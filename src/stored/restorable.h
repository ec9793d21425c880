// Whether a backup can be restored, as far as what is in the catalogue tells without reading the
// content of its files. A backup counts as done only after this, made from the metadata just
// written; a restore comes to the same trees in the same way.
#pragma once

#include "catalogue/backup_info.h"
#include "catalogue/catalogue.h"
#include "stored/open_backup.h"

namespace barman::stored {

// Throws `corrupt` naming what is missing of this backup alone: the data directory or its archive,
// those of its tablespaces.
void require_files(const catalogue::Catalogue& catalogue, const catalogue::BackupInfo& backup);
// The same of the manifest of a backup by streaming, of PostgreSQL 13 and later, on a local disk.
void require_manifest(const catalogue::Catalogue& catalogue, const catalogue::BackupInfo& backup);

// Reads the metadata again. Throws `corrupt` or `not_found` when it lacks what a restore needs,
// when the chain of backups is broken, when a tree cannot be opened, and when files that the
// manifest lists are not there in their size. Archives that can only be read from their beginning,
// and encrypted ones, are only required to be there.
void require_restorable(const catalogue::Catalogue& catalogue, const catalogue::BackupId& id,
                        const OpenOptions& options);

}  // namespace barman::stored
