// Removes archived WAL files with their lines in the index, as a plan says. Hooks of kind
// wal_delete run around, without the lock of the index.
#pragma once

#include <string>
#include <vector>

#include "base/progress.h"
#include "server/server.h"
#include "wal_archive/wal_removal.h"

namespace barman::wal_archive {

struct RemovedWals {
  // In the order of the index.
  std::vector<std::string> names;
  // A sentence about what the storage does not let go yet, with worm_mode or locked objects; "" =
  // nothing.
  std::string left;
};

// Telling both is the caller's business.
// First the files go, durably, then, at one stroke, their lines: after a crash between, the next
// removal ends the work. What is immutable stays, and what is locked in a bucket is noted
// (locked_wal.h). Throws server::HookAborted before anything is removed.
RemovedWals remove_wals(const server::Server& server, WalRemovalPlan plan);

}  // namespace barman::wal_archive
