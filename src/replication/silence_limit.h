// How long a server may send nothing.
#pragma once

#include <chrono>
#include <functional>

namespace barman::replication {

struct SilenceLimit {
  // Zero = no limit.
  std::chrono::milliseconds interval{0};
  // Called after each `interval` of silence, with all of it; throws to give up. Without it the
  // first one ends the wait with Error(connection).
  std::function<void(std::chrono::milliseconds silence)> look{};
};

}  // namespace barman::replication
