// Removes archived WAL files with their lines in the index, as a plan says. Hooks of kind
// wal_delete run around, without the lock of the index.
#pragma once

#include <string>
#include <vector>

#include "base/progress.h"
#include "server/server.h"
#include "wal_archive/wal_removal.h"

namespace barman::wal_archive {

// Returns the names removed, in the order of the index; telling them is the caller's business.
// First the files go, durably, then, at one stroke, their lines: after a crash between, the next
// removal ends the work. With worm_mode, what is immutable stays. Throws server::HookAborted before
// anything is removed.
std::vector<std::string> remove_wals(const server::Server& server, WalRemovalPlan plan);

}  // namespace barman::wal_archive
