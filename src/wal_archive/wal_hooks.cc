#include "wal_archive/wal_hooks.h"

#include <string>

#include "base/text.h"

namespace barman::wal_archive {

server::HookVariables wal_hook_variables(const WalIndexEntry& entry,
                                         const std::filesystem::path& path) {
  return {{"BARMAN_SEGMENT", entry.name},
          {"BARMAN_FILE", path.string()},
          {"BARMAN_SIZE", std::to_string(entry.size_bytes)},
          {"BARMAN_TIMESTAMP", shortest_float(entry.mtime)},
          {"BARMAN_COMPRESSION", entry.compression.value_or("")}};
}

}  // namespace barman::wal_archive
