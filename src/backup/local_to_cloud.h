// backup_method = local-to-cloud: the files of a PostgreSQL on this host, read between start and
// stop of the low-level API and put straight into a bucket.
#pragma once

#include <memory>

#include "backup/backup_source.h"

namespace barman::backup {

// Both arguments must live longer.
std::unique_ptr<BackupSource> make_local_to_cloud(const server::Server& server,
                                                  const BackupRequest& request);

}  // namespace barman::backup
