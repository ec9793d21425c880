#include "base/retry.h"

#include <algorithm>
#include <limits>

namespace barman {

bool is_transient(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::not_found:
    case ErrorKind::conflict:
    case ErrorKind::connection:
    case ErrorKind::io:
    case ErrorKind::corrupt:
    case ErrorKind::remote:
      return true;
    case ErrorKind::usage:
    case ErrorKind::config:
    case ErrorKind::permission:
    case ErrorKind::interrupted:
    case ErrorKind::internal:
      return false;
  }
  return false;
}

void pause_before_retry(std::chrono::milliseconds pause, const Interrupt& interrupt) {
  constexpr std::chrono::milliseconds kLongest{std::numeric_limits<int>::max()};
  sleep_unless_interrupted(static_cast<int>(std::min(pause, kLongest).count()), interrupt);
  interrupt.throw_if_requested();
}

}  // namespace barman
