// A backup manifest for a backup that was copied file by file: `data/backup_manifest` with the
// SHA-256 of each file below `data/`, in PostgreSQL's format, version 1, as pg_verifybackup reads
// it.
#pragma once

#include "base/interrupt.h"
#include "base/progress.h"
#include "catalogue/catalogue.h"

namespace barman::backup {

// The manifest appears complete and durable. Throws Error(internal) "File PATH already exists."
// when there is one, Error(not_found) when the backup has no data directory here, and
// Error(interrupted); then there is none.
void generate_manifest(const catalogue::Catalogue& catalogue, const catalogue::BackupId& id,
                       Progress& progress, const Interrupt& interrupt);

}  // namespace barman::backup
