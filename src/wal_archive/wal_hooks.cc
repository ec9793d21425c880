#include "wal_archive/wal_hooks.h"

#include <string>

#include "base/text.h"

namespace barman::wal_archive {

server::HookScripts make_hooks(const server::Server& server, server::HookKind kind) {
  return {server.config(),
          {.server_name = server.name(),
           .configuration_path = server.program().configuration_path,
           .path_prefix = server.config().path_prefix},
          kind,
          server.interrupt()};
}

server::HookVariables wal_hook_variables(const WalIndexEntry& entry,
                                         const std::filesystem::path& path) {
  return {{"BARMAN_SEGMENT", entry.name},
          {"BARMAN_FILE", path.string()},
          {"BARMAN_SIZE", std::to_string(entry.size_bytes)},
          {"BARMAN_TIMESTAMP", shortest_float(entry.mtime)},
          {"BARMAN_COMPRESSION", entry.compression.value_or("")}};
}

}  // namespace barman::wal_archive
