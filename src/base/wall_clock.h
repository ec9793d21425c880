// The time of day as a value: what decides by it (retention, ages, names of files that are put
// aside) takes a WallClock, so that tests can set it. Durations are measured with steady_clock.
#pragma once

#include <functional>
#include <utility>

#include "base/timestamp.h"

namespace barman {

// The system's clock unless another source is given. Cheap to copy.
class WallClock {
 public:
  WallClock() = default;
  explicit WallClock(std::function<Timestamp()> source) : source_(std::move(source)) {}
  // Stands still.
  static WallClock at(Timestamp time) {
    return WallClock([time] { return time; });
  }

  // In the zone of this host.
  Timestamp now() const { return source_ ? in_local_zone(source_()) : now_local(); }

 private:
  std::function<Timestamp()> source_;
};

}  // namespace barman
