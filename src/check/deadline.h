// What is left of a time limit.
#pragma once

#include <algorithm>
#include <chrono>

#include "postgres/connection.h"

namespace barman::check {

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;
  // Zero = no limit.
  explicit Deadline(std::chrono::seconds limit)
      : is_limited_(limit.count() > 0), end_(Clock::now() + limit) {}

  bool has_passed() const { return is_limited_ && Clock::now() >= end_; }
  std::chrono::milliseconds left() const {
    constexpr std::chrono::milliseconds kUnlimited = std::chrono::hours(24);
    if (!is_limited_) return kUnlimited;
    return std::max(std::chrono::milliseconds(1),
                    std::chrono::duration_cast<std::chrono::milliseconds>(end_ - Clock::now()));
  }
  postgres::ConnectionLimits connection_limits() const {
    return {.connect_timeout = left(), .statement_timeout = left()};
  }

 private:
  bool is_limited_;
  Clock::time_point end_;
};

}  // namespace barman::check
