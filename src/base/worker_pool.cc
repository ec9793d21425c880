#include "base/worker_pool.h"

namespace barman {

WorkerPool::WorkerPool(std::size_t worker_count) : tasks_(worker_count * 2) {
  for (std::size_t i = 0; i < worker_count; ++i) workers_.emplace_back([this] { run(); });
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    // Any value makes the workers drop what is still queued.
    if (!failure_) failure_ = std::make_exception_ptr(0);
  }
  tasks_.close();
}

void WorkerPool::submit(Task task) { tasks_.push(std::move(task)); }

void WorkerPool::wait() {
  tasks_.close();
  workers_.clear();
  const std::lock_guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
}

bool WorkerPool::has_failed() const {
  const std::lock_guard lock(mutex_);
  return failure_ != nullptr;
}

void WorkerPool::run() {
  while (std::optional<Task> task = tasks_.pop()) {
    if (has_failed()) continue;
    try {
      (*task)();
    } catch (...) {  // The worker boundary: wait() rethrows in the joining thread.
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
    }
  }
}

}  // namespace barman
