// The parts of one upload on their way: as many at once as there may be, each by a thread, while
// the caller fills the next one. Threads are started as they are needed.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/fd.h"

namespace barman::object_store {

using PartContent = std::vector<std::byte>;

class PartSender {
 public:
  // Sends part `number` (from 1), or throws.
  using Send = std::function<void(unsigned number, Bytes content)>;

  PartSender(unsigned max_at_once, Send send);
  PartSender(const PartSender&) = delete;
  PartSender& operator=(const PartSender&) = delete;
  // Waits for the parts that are on their way.
  ~PartSender();

  // Waits while as many are on their way as there may be. Throws what has failed before.
  void submit(unsigned number, PartContent content);
  // Room for the next part, of one that has arrived if there is one.
  PartContent take_buffer();
  // Waits until all have arrived. Throws the first error.
  void wait();

 private:
  struct Part {
    unsigned number = 0;
    PartContent content;
  };

  void run();
  void rethrow_failure();

  const std::size_t max_at_once_;
  const Send send_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Part> waiting_;
  std::vector<PartContent> free_;
  // Waiting or being sent.
  std::size_t under_way_ = 0;
  std::size_t idle_threads_ = 0;
  bool is_closed_ = false;
  std::exception_ptr failure_;
  std::vector<std::jthread> threads_;
};

}  // namespace barman::object_store
