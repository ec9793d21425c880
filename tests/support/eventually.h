// Waiting for what happens in other processes: poll until it is so, or the time is over.
#pragma once

#include <chrono>
#include <thread>
#include <utility>

namespace barman::test {

inline constexpr std::chrono::milliseconds kPollInterval{10};
inline constexpr std::chrono::seconds kPatience{60};

// True as soon as predicate() is true; false when it is not within `timeout`.
//   ASSERT_TRUE(eventually([&] { return exists(segment); }));
template <typename Predicate>
bool eventually(Predicate&& predicate, std::chrono::milliseconds timeout = kPatience) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!predicate()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(kPollInterval);
  }
  return true;
}

}  // namespace barman::test
