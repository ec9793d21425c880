// Imports an export into a server whose backups lie in a bucket: straight up, nothing of it lies on
// this host but the copies of metadata and manifest that such a server has.
//
//   the file is read, its checksum, identity, metadata and WAL are checked      nothing is written
//   backup.info STARTED, in the bucket and here: WAL that the backup needs stays
//   the file is read again: archives with their indexes, WAL
//   the parts belong together, and the backup can be restored; lines of the WAL index; keep
//   backup.info DONE                                                            commit point
//
// Whoever fails before that removes what was uploaded. What a killed import leaves is STARTED, and
// FAILED when the next backup or cron finds it; the same import replaces it.
#pragma once

#include <optional>

#include "base/progress.h"
#include "catalogue/backup_info.h"
#include "catalogue/catalogue.h"
#include "server/server.h"
#include "transfer/tarball.h"

namespace barman::transfer {

struct BucketImport {
  const server::Server& server;
  const Tarball& tarball;
  const TarballName& name;
  const catalogue::Identity& identity;
  // What this host knows under that ID.
  const std::optional<catalogue::BackupInfo>& existing;
  Messages& messages;
  Progress& progress;
};

// The caller holds the locks of the server's backups and of this one.
void import_into_bucket(const BucketImport& request);

}  // namespace barman::transfer
