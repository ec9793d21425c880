// Looks at the directories that a restore is to write, without changing anything.
#pragma once

#include <cstdint>
#include <filesystem>

#include "restore/build_plan.h"
#include "restore/restore_facts.h"

namespace barman::restore {

std::uint64_t device_of(const std::filesystem::path& path);

// Fills in `destination`, `tablespace_targets`, `staging_wal` and `live_clusters`, from the backup
// and the device of the catalogue. May be repeated: nothing else of the facts changes.
void inspect_places(const RestoreRequest& request, const Relocations& relocations,
                    RestoreFacts& facts);

// Of a data directory: the first line of its postmaster.pid, when that process lives.
std::optional<int> find_running_postmaster(const std::filesystem::path& directory);

}  // namespace barman::restore
