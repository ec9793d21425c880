// Keeps a transfer below a limit, on the average since it has begun.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include "base/interrupt.h"

namespace barman {

// As bandwidth_limit, --bwlimit and PostgreSQL's MAX_RATE count: a kilobyte is 1024 bytes.
struct TransferLimit {
  std::uint64_t kib_per_second = 0;  // 0 = none

  // As an option says; negative values are none.
  static TransferLimit of(std::optional<std::int64_t> option) {
    return {static_cast<std::uint64_t>(std::max<std::int64_t>(option.value_or(0), 0))};
  }
  bool is_set() const { return kib_per_second != 0; }
  std::uint64_t bytes_per_second() const { return kib_per_second * 1024; }
};

// Several threads may share one.
class Throttle {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit Throttle(TransferLimit limit, TimePoint begin = std::chrono::steady_clock::now());

  // Sleeps until `size_bytes` more may have passed; shorter when the interrupt is requested.
  void take(std::uint64_t size_bytes, const Interrupt& interrupt);
  // The moment until which take() sleeps.
  TimePoint reserve(std::uint64_t size_bytes);

 private:
  TransferLimit limit_;
  // Nanoseconds of the steady clock.
  std::atomic<std::int64_t> next_ns_;
};

}  // namespace barman
