// Trying again. Whether that makes sense is decided here, by the kind of the error; how often, how
// long to wait and what to tell is the caller's.
#pragma once

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <utility>

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/interrupt.h"

namespace barman {

// Whether the same may succeed later: what the network, a disk, another process or the other side
// has failed at, and what arrived damaged. Not what the user has to change first (usage, settings,
// permissions), what was interrupted, and what is a bug of ours.
bool is_transient(ErrorKind kind);
inline bool is_transient(const Error& error) { return is_transient(error.kind()); }

struct RetryRules {
  // After the first attempt.
  std::int64_t times = 0;
  std::chrono::milliseconds pause{0};
};

// Waits; throws `interrupted` when the interrupt fires.
void pause_before_retry(std::chrono::milliseconds pause, const Interrupt& interrupt);

// The result of `action`, which is tried again after transient errors; the last error is thrown.
// `on_failure(error, attempt)` is called before each pause; attempts count from 0.
template <typename Action, typename OnFailure>
decltype(auto) retry(const RetryRules& rules, const Interrupt& interrupt, Action&& action,
                     OnFailure&& on_failure) {
  for (std::int64_t attempt = 0;; ++attempt) {
    try {
      return action();
    } catch (const Error& error) {  // One attempt of several.
      if (attempt >= rules.times || !is_transient(error)) throw;
      on_failure(error, attempt);
    }
    pause_before_retry(rules.pause, interrupt);
  }
}

// `action` makes a directory and something in it. When somebody else, who removes empty
// directories, takes it away before there is something in it, both are done again.
template <typename Action>
decltype(auto) while_directory_goes(const std::filesystem::path& directory, Action&& action) {
  constexpr int kTries = 5;
  for (int attempt = 1;; ++attempt) {
    try {
      return action();
    } catch (const SystemError& error) {
      if (error.error_number() != ENOENT || attempt == kTries || find_status(directory)) throw;
    }
  }
}

// The same for an action that makes something in a directory only.
template <typename Action>
decltype(auto) in_directory(const std::filesystem::path& directory, Action&& action) {
  return while_directory_goes(directory, [&]() -> decltype(auto) {
    make_directories(directory);
    return action();
  });
}

}  // namespace barman
