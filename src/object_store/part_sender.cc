#include "object_store/part_sender.h"

#include <algorithm>
#include <utility>

#include "base/worker_pool.h"

namespace barman::object_store {

PartSender::PartSender(unsigned max_at_once, Send send)
    : max_at_once_(std::max(max_at_once, 1U)), send_(std::move(send)) {}

PartSender::~PartSender() {
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    under_way_ -= waiting_.size();
    waiting_.clear();
  }
  changed_.notify_all();
}

void PartSender::submit(unsigned number, PartContent content) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return failure_ != nullptr || under_way_ < max_at_once_; });
  rethrow_failure();
  waiting_.push_back({.number = number, .content = std::move(content)});
  ++under_way_;
  if (idle_threads_ < waiting_.size() && threads_.size() < max_at_once_) {
    threads_.push_back(start_thread([this] { run(); }));
  }
  lock.unlock();
  changed_.notify_all();
}

PartContent PartSender::take_buffer() {
  const std::lock_guard lock(mutex_);
  if (free_.empty()) return {};
  PartContent buffer = std::move(free_.back());
  free_.pop_back();
  buffer.clear();
  return buffer;
}

void PartSender::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return failure_ != nullptr || under_way_ == 0; });
  rethrow_failure();
}

// It goes to one thread, which may add to it.
void PartSender::rethrow_failure() {
  if (failure_ != nullptr) std::rethrow_exception(failure_);
}

void PartSender::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_threads_;
    changed_.wait(lock, [&] { return is_closed_ || !waiting_.empty(); });
    --idle_threads_;
    if (is_closed_) return;
    Part part = std::move(waiting_.front());
    waiting_.pop_front();
    const bool is_wanted = failure_ == nullptr;
    lock.unlock();
    std::exception_ptr failure;
    // The boundary of a worker: the caller is told by the next submit() or wait().
    try {
      if (is_wanted) send_(part.number, part.content);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    --under_way_;
    free_.push_back(std::move(part.content));
    if (failure != nullptr && failure_ == nullptr) failure_ = failure;
    changed_.notify_all();
  }
}

}  // namespace barman::object_store
