// Segments that lie in the WAL archive and have no line in its index: left by a crash or put there
// by hand. What only looks at the index takes them for missing.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "storage/storage.h"
#include "wal_archive/wal_index.h"

namespace barman::wal_archive {

// Ascending by name; sizes and times as they lie there. `is_wanted` says which names are looked
// for, before `is_indexed` is asked. The index is read again, without its lock, for what seems to
// be missing: an archiver gives files their place first. Directories that cannot be read throw.
std::vector<WalIndexEntry> list_unindexed_segments(
    const storage::Storage& objects, const catalogue::CatalogueLocations& locations,
    const std::function<bool(std::string_view)>& is_wanted,
    const std::function<bool(std::string_view)>& is_indexed);

}  // namespace barman::wal_archive
