// An interrupt that a unit test requests.
#pragma once

#include <memory>
#include <stop_token>

#include "base/interrupt.h"

namespace barman {

class TestInterrupt {
 public:
  void request() { source_->request_stop(); }
  Interrupt get() const { return {source_->get_token(), -1, &signal_}; }

 private:
  // On the heap, because g++ 12 with sanitizers takes a local one for uninitialised.
  std::unique_ptr<std::stop_source> source_ = std::make_unique<std::stop_source>();
  int signal_ = 15;
};

}  // namespace barman
