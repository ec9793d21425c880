// The one form of points in time in what is ours alone to say; outputs of Barman keep theirs
// (docs/coding.md).
#pragma once

#include <string>

#include "base/timestamp.h"

namespace barman {

// In the zone of this host, which is always told, "2026-11-21 02:42:37+01:00". --target-time takes
// it.
std::string shown_time(Timestamp time);
// Without the fraction, for what is only looked at.
std::string shown_second(Timestamp time);

}  // namespace barman
