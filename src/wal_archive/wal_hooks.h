// What hook scripts are told about one WAL file.
#pragma once

#include <filesystem>

#include "server/hook_scripts.h"
#include "wal_archive/wal_index.h"

namespace barman::wal_archive {

server::HookVariables wal_hook_variables(const WalIndexEntry& entry,
                                         const std::filesystem::path& path);

}  // namespace barman::wal_archive
