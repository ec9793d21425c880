// A data directory that is there is brought to the state of a backup in a bucket. Plan and
// execution are those of `barman restore --delta-restore` (restore/build_plan.h,
// restore/execute_plan.h), and so are what is refused, what is moved aside and what is removed. Of
// what is right already nothing is read from the bucket, as far as the manifest of the backup or
// the indexes of its archives have checksums of files; backups without both are read whole, and
// only what differs is written.
#pragma once

#include <optional>

#include "catalogue/backup_info.h"
#include "cloud/bucket_names.h"
#include "cloud/cloud_recovery.h"
#include "cloud/restore_cloud_backup.h"

namespace barman::cloud {

// `recovery` is that of the request, planned. Throws `conflict` for places that are not those of
// the cluster that was backed up, and whenever PostgreSQL runs there; `usage` for root, whose files
// PostgreSQL could not read. After any other failure the directory has no `global/pg_control`, and
// the same call goes on.
CloudRestoreResult restore_over(const CloudCatalogue& catalogue,
                                const catalogue::BackupInfo& backup,
                                const CloudRestoreRequest& request,
                                const std::optional<CloudRecoveryFiles>& recovery);

}  // namespace barman::cloud
