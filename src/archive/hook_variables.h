// What hook scripts are told about one WAL file (contract cli.md 9).
#pragma once

#include <filesystem>

#include "catalogue/wal_index.h"
#include "hooks/hook_scripts.h"
#include "server/server.h"

namespace barman::archive {

hooks::HookScripts make_hooks(const server::Server& server, hooks::HookKind kind);
hooks::HookVariables wal_hook_variables(const catalogue::WalIndexEntry& entry,
                                        const std::filesystem::path& path);

}  // namespace barman::archive
