// A backup manifest for a backup that was copied file by file: `data/backup_manifest` with the
// SHA-256 of each file, in PostgreSQL's format, version 1. Files of tablespaces and the WAL that
// the backup needs are listed as PostgreSQL lists them, so that pg_verifybackup accepts the backup
// and what is restored from it (docs/decisions/0025).
#pragma once

#include <optional>

#include "backup/known_digests.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "catalogue/backup_info.h"
#include "server/server.h"

namespace barman::backup {

// What need not be read again.
struct KnownFiles {
  // Sealed; must live longer.
  const KnownDigests* digests = nullptr;
  // A backup with whose files those of this one are linked: its manifest knows them.
  std::optional<catalogue::BackupId> shares_with = std::nullopt;
};

// The manifest appears complete and durable; links of the data directory lead to the tablespaces
// then. Throws Error(internal) "File PATH already exists." when there is one, Error(not_found) when
// the backup has no data directory here, and Error(interrupted); then there is none. `progress`
// advances with what is read. Of a backup in a bucket all archives are read, and the manifest is an
// object beside them, with a copy on this host.
void generate_manifest(const server::Server& server, const catalogue::BackupInfo& backup,
                       const KnownFiles& known, Progress& progress, const Interrupt& interrupt);

}  // namespace barman::backup
