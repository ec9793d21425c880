#include "restore/place_locks.h"

#include <unistd.h>

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/error.h"

namespace barman::restore {
namespace fs = std::filesystem;

PlaceLocks PlaceLocks::take(const std::vector<fs::path>& directories) {
  constexpr mode_t kDirectoryMode = 0700;
  PlaceLocks locks;
  for (const fs::path& directory : directories) {
    make_directories(directory, kDirectoryMode);
    const fs::path path = fs::canonical(directory) / kPlaceLockName;
    const bool is_held = std::any_of(locks.held_.begin(), locks.held_.end(),
                                     [&](const Held& held) { return held.path == path; });
    if (is_held) continue;
    std::optional<FileLock> lock = FileLock::try_lock(path);
    if (!lock) {
      const std::optional<pid_t> pid = FileLock::holder(path);
      throw Error(ErrorKind::conflict,
                  fmt::format("Another restore writes into '{}'{}", directory.string(),
                              pid ? fmt::format(" (pid {})", *pid) : ""),
                  "Wait for its end, or choose another directory.");
    }
    locks.held_.push_back({path, std::move(*lock)});
  }
  return locks;
}

PlaceLocks PlaceLocks::take_for(const RestorePlan& plan) {
  const fs::path destination = fs::weakly_canonical(plan.destination);
  std::vector<fs::path> directories = {destination};
  for (const WrittenDirectory& directory : plan.directories) {
    const fs::path place = fs::weakly_canonical(directory.path);
    const fs::path inside = place.lexically_relative(destination);
    if (inside.empty() || *inside.begin() == "..") directories.push_back(place);
  }
  return take(directories);
}

PlaceLocks::~PlaceLocks() {
  // While it is held: who opens the file meanwhile finds, once locked, that its name is gone.
  for (const Held& held : held_) ::unlink(held.path.c_str());
}

}  // namespace barman::restore
