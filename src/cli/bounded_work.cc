#include "cli/bounded_work.h"

#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include "base/worker_pool.h"

namespace barman::cli {
namespace {

// Shared by the caller and the thread, whoever ends last.
struct Shared {
  std::mutex mutex;
  std::condition_variable done;
  bool is_done = false;
  bool is_abandoned = false;
  std::exception_ptr failure;
};

std::atomic<bool>& abandoned_work() {
  static std::atomic<bool> is_there = false;
  return is_there;
}

void pass_gate(Shared& shared, const std::function<void()>& action) {
  {
    const std::lock_guard lock(shared.mutex);
    if (!shared.is_abandoned) {
      action();
      return;
    }
  }
  for (;;) ::pause();
}

void run_gated(Shared& shared, const std::function<void(const Gate&)>& work) {
  std::exception_ptr failure;
  try {
    work([&](const std::function<void()>& action) { pass_gate(shared, action); });
  } catch (...) {
    failure = std::current_exception();
  }
  const std::lock_guard lock(shared.mutex);
  shared.failure = failure;
  shared.is_done = true;
  shared.done.notify_one();
}

}  // namespace

bool run_bounded(std::chrono::milliseconds limit, const std::function<void(const Gate&)>& work) {
  if (limit.count() == 0) {
    work([](const std::function<void()>& action) { action(); });
    return true;
  }
  const auto shared = std::make_shared<Shared>();
  std::thread thread;
  try {
    thread = std::thread([shared, work] { run_gated(*shared, work); });
  } catch (const std::system_error& error) {
    throw_no_thread(error.code().value());
  }
  {
    std::unique_lock lock(shared->mutex);
    if (!shared->done.wait_for(lock, limit, [&] { return shared->is_done; })) {
      shared->is_abandoned = true;
      abandoned_work() = true;
      thread.detach();
      return false;
    }
  }
  thread.join();
  if (shared->failure) std::rethrow_exception(shared->failure);
  return true;
}

bool has_abandoned_work() { return abandoned_work(); }

}  // namespace barman::cli
