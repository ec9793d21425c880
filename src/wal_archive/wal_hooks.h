// What hook scripts are told about one WAL file.
#pragma once

#include <filesystem>

#include "hooks/hook_scripts.h"
#include "server/server.h"
#include "wal_archive/wal_index.h"

namespace barman::wal_archive {

hooks::HookScripts make_hooks(const server::Server& server, hooks::HookKind kind);
hooks::HookVariables wal_hook_variables(const WalIndexEntry& entry,
                                        const std::filesystem::path& path);

}  // namespace barman::wal_archive
