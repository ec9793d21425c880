// Removes archived WAL files with their lines in the index (contract catalogue.md 15.3). What goes
// is decided by the caller; hooks of kind wal_delete run around, without the lock of the index.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "catalogue/wal_index.h"
#include "server/server.h"

namespace barman::archive {

// True for a line whose file stays. Must not open the index.
using KeepWal = std::function<bool(const catalogue::WalIndexLine&)>;

// Returns the names removed, in the order of the index. A file that is missing is a warning. First
// the files go, durably, then, at one stroke, their lines: after a crash between, the next removal
// ends the work. Throws hooks::HookAborted before anything is removed.
std::vector<std::string> remove_wals(const server::Server& server, const KeepWal& keep,
                                     Messages& messages);

}  // namespace barman::archive
