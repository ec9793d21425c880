// Threads. A BoundedQueue is the only way data crosses threads in bulk (its capacity bounds
// memory); a WorkerPool runs independent tasks; the first exception wins and is rethrown by wait().
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"

namespace barman {

// The error of a thread that the limits of the system (processes, memory) do not allow.
[[noreturn]] void throw_no_thread(int error_number);

// A thread; the one way to make one. Throws `io` with the next step instead of std::system_error.
template <typename Function>
std::jthread start_thread(Function&& function) {
  try {
    return std::jthread(std::forward<Function>(function));
  } catch (const std::system_error& error) {
    throw_no_thread(error.code().value());
  }
}

// `count` threads that run work(number), or as many as the system allows: those do the work of all,
// and `on_fewer` gets the reason. Throws as start_thread() when there is not one.
template <typename Work, typename OnFewer>
std::vector<std::jthread> start_threads(std::size_t count, const Work& work,
                                        const OnFewer& on_fewer) {
  std::vector<std::jthread> threads;
  threads.reserve(count);
  while (threads.size() < count) {
    try {
      threads.push_back(start_thread([work, number = threads.size()] { work(number); }));
    } catch (const Error& error) {  // Fewer are slower, and no failure.
      if (threads.empty()) throw;
      on_fewer(error);
      break;
    }
  }
  return threads;
}

template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {}

  // Blocks while the queue is full. False when the queue was closed: the value is dropped.
  bool push(T value) {
    std::unique_lock lock(mutex_);
    not_full_.wait(lock, [&] { return closed_ || values_.size() < capacity_; });
    if (closed_) return false;
    values_.push_back(std::move(value));
    not_empty_.notify_one();
    return true;
  }
  // Blocks while the queue is empty. nullopt when it is closed and empty.
  std::optional<T> pop() {
    std::unique_lock lock(mutex_);
    not_empty_.wait(lock, [&] { return closed_ || !values_.empty(); });
    if (values_.empty()) return std::nullopt;
    std::optional<T> value(std::move(values_.front()));
    values_.pop_front();
    not_full_.notify_one();
    return value;
  }
  // No more values come in; those inside are still handed out.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    not_full_.notify_all();
    not_empty_.notify_all();
  }

 private:
  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable not_full_;
  std::condition_variable not_empty_;
  std::deque<T> values_;
  bool closed_ = false;
};

class WorkerPool {
 public:
  using Task = std::function<void()>;

  // Fewer workers where the system allows no more threads. Throws as start_thread() when there is
  // not one.
  explicit WorkerPool(std::size_t worker_count);
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  // Drops tasks that have not begun and joins.
  ~WorkerPool();

  // Blocks while workers are busy and the queue is full. After a failure the task is dropped
  // silently: wait() tells.
  void submit(Task task);
  // Ends the queue, waits for all tasks, joins, and rethrows the first exception. Called once.
  void wait();
  bool has_failed() const;

 private:
  void run();

  BoundedQueue<Task> tasks_;
  mutable std::mutex mutex_;
  std::exception_ptr failure_;
  std::vector<std::jthread> workers_;
};

}  // namespace barman
