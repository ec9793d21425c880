#include "base/shown_time.h"

namespace barman {

std::string shown_time(Timestamp time) { return format_iso(in_local_zone(time)); }

std::string shown_second(Timestamp time) {
  constexpr std::int64_t kSecond = 1'000'000;
  const std::int64_t rest = time.microseconds % kSecond;
  // Towards the past, also before 1970.
  time.microseconds -= rest < 0 ? rest + kSecond : rest;
  return shown_time(time);
}

}  // namespace barman
