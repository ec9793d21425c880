// What is left of a time limit.
#pragma once

#include <algorithm>
#include <chrono>

#include "postgres/connection.h"

namespace barman::facts {

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;
  // Zero = no limit.
  explicit Deadline(std::chrono::seconds limit)
      : is_limited_(limit.count() > 0), limit_(limit), end_(Clock::now() + limit) {}

  bool has_passed() const { return is_limited_ && Clock::now() >= end_; }
  std::chrono::milliseconds left() const {
    constexpr std::chrono::milliseconds kUnlimited = std::chrono::hours(24);
    if (!is_limited_) return kUnlimited;
    return std::max(std::chrono::milliseconds(1),
                    std::chrono::duration_cast<std::chrono::milliseconds>(end_ - Clock::now()));
  }
  // For one of several questions: a part of the whole, so that a slow one leaves time to the
  // others.
  std::chrono::milliseconds item() const {
    constexpr std::chrono::milliseconds kShortest{500};
    constexpr std::chrono::milliseconds kWithoutLimit = std::chrono::seconds(30);
    constexpr int kParts = 5;
    if (!is_limited_) return kWithoutLimit;
    return std::min(std::max(kShortest, limit_ / kParts), left());
  }
  // We wait for half as long again as the server may use for a statement (connection.cc).
  postgres::ConnectionLimits item_limits() const {
    return {.connect_timeout = item(), .statement_timeout = item() * 2 / 3};
  }

 private:
  bool is_limited_;
  std::chrono::milliseconds limit_;
  Clock::time_point end_;
};

}  // namespace barman::facts
