// The document of sync-info: JSON with an indent of 4, in
// this order of keys, without a final newline. It goes straight to a descriptor, line by line of
// the index, because there can be a million of them.
#pragma once

#include <vector>

#include "base/fd.h"
#include "catalogue/backup_info.h"
#include "config/rendering.h"
#include "sync/wanted_wal.h"
#include "wal_archive/wal_index.h"

namespace barman::output {

struct SyncFacts {
  // Those of which passive nodes may know: complete ones.
  const std::vector<catalogue::BackupInfo>& backups;
  const wal_archive::WalIndexSnapshot& index;
  const sync::WantedWal& wals;
  const config::ShownOptions& options;
};
void write_sync_info(const Fd& out, const SyncFacts& facts);

}  // namespace barman::output
