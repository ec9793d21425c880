// The locks of the directories that a restore writes: one restore at a time in each, whoever runs
// it and whatever server or catalogue it reads.
#pragma once

#include <filesystem>
#include <vector>

#include "base/file_lock.h"
#include "restore/restore_plan.h"

namespace barman::restore {

// An flock(2) on `.barman-restore.lock` in the directory itself. It ends with the process; a file
// that a killed restore has left is free, and the next one removes it.
inline constexpr const char* kPlaceLockName = ".barman-restore.lock";

class PlaceLocks {
 public:
  // Without waiting. Directories that are missing are made. Throws `conflict` naming the directory
  // and the process that writes there.
  static PlaceLocks take(const std::vector<std::filesystem::path>& directories);
  // Of all that the plan writes on this host; what lies in the destination is locked with it.
  static PlaceLocks take_for(const RestorePlan& plan);

  PlaceLocks(PlaceLocks&&) noexcept = default;
  PlaceLocks& operator=(PlaceLocks&&) = delete;
  PlaceLocks(const PlaceLocks&) = delete;
  PlaceLocks& operator=(const PlaceLocks&) = delete;
  // Removes the files, then releases them.
  ~PlaceLocks();

 private:
  PlaceLocks() = default;
  struct Held {
    std::filesystem::path path;
    FileLock lock;
  };
  std::vector<Held> held_;
};

}  // namespace barman::restore
