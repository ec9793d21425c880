// Work on a thread of its own that can be left behind: a call into a file system that does not
// answer (a dead NFS server) cannot be ended, only abandoned.
//
//   const bool is_done = run_bounded(limit, [=](const Gate& gate) {
//     const auto result = slow();          // captured by value, or alive until the process ends
//     gate([&] { show(result); });         // what belongs to the caller: never after it has left
//   });
#pragma once

#include <chrono>
#include <functional>

namespace barman::cli {

// Runs its argument while the caller waits. When the caller has left, it does not return.
using Gate = std::function<void(const std::function<void()>&)>;

// False when `work` has not ended within `limit` (zero = none, and no thread): the thread runs on,
// and the process must end by _exit(), see has_abandoned_work(). What `work` throws is thrown here.
bool run_bounded(std::chrono::milliseconds limit, const std::function<void(const Gate&)>& work);

// Whether a thread was left behind: the objects that it may still use must not be destroyed.
bool has_abandoned_work();

}  // namespace barman::cli
