#include "base/throttle.h"

namespace barman {

Throttle::Throttle(TransferLimit limit, TimePoint begin)
    : limit_(limit),
      next_ns_(
          std::chrono::duration_cast<std::chrono::nanoseconds>(begin.time_since_epoch()).count()) {}

Throttle::TimePoint Throttle::reserve(std::uint64_t size_bytes) {
  const double cost_ns = limit_.is_set() ? static_cast<double>(size_bytes) * 1e9 /
                                               static_cast<double>(limit_.bytes_per_second())
                                         : 0;
  const auto cost = static_cast<std::int64_t>(cost_ns);
  return TimePoint(std::chrono::duration_cast<TimePoint::duration>(
      std::chrono::nanoseconds(next_ns_.fetch_add(cost) + cost)));
}

void Throttle::take(std::uint64_t size_bytes, const Interrupt& interrupt) {
  if (!limit_.is_set()) return;
  const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(
      reserve(size_bytes) - std::chrono::steady_clock::now());
  if (rest.count() > 0) sleep_unless_interrupted(static_cast<int>(rest.count()), interrupt);
}

}  // namespace barman
