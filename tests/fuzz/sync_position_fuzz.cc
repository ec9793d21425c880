// sync-wals.info of a passive node: what it names goes into a command line for the primary node.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "fuzz_target.h"
#include "sync/wanted_wal.h"
#include "wal/wal_file_name.h"

BARMAN_FUZZ_TARGET(sync_position) {
  using namespace barman;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const sync::SyncRequest request = sync::parse_sync_position(text);
  if (!request.last_wal) {
    if (request.last_position) std::abort();
    return 0;
  }
  if (!wal::parse_wal_file_name(*request.last_wal)) std::abort();
  if (!request.last_position) return 0;
  const sync::SyncRequest again = sync::parse_sync_position(
      sync::format_sync_position(*request.last_wal, *request.last_position));
  if (again.last_wal != request.last_wal || again.last_position != request.last_position) {
    std::abort();
  }
  return 0;
}
