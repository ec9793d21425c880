#include "base/worker_pool.h"

#include <algorithm>

#include "base/log.h"

namespace barman {

void throw_no_thread(int error_number) {
  throw Error(ErrorKind::io, "cannot start a thread: " + errno_text(error_number),
              "Raise the limits of processes, threads and memory (ulimit -u, ulimit -v, TasksMax "
              "and MemoryMax of the unit), or end other processes of this user.");
}

WorkerPool::WorkerPool(std::size_t worker_count)
    : tasks_(std::max<std::size_t>(worker_count, 1) * 2) {
  worker_count = std::max<std::size_t>(worker_count, 1);
  workers_ = start_threads(
      worker_count, [this](std::size_t) { run(); },
      [&](const Error& error) {
        log::warning("barman.threads", "fewer than {} threads: {}", worker_count, error.describe());
      });
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
