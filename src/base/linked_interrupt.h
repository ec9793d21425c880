// An interrupt of several threads that do one work: it fires with that of the program, or when one
// of them has failed and the others shall not go on.
#pragma once

#include <functional>
#include <stop_token>

#include "base/fd.h"
#include "base/interrupt.h"

namespace barman {

class LinkedInterrupt {
 public:
  explicit LinkedInterrupt(const Interrupt& outer);
  LinkedInterrupt(const LinkedInterrupt&) = delete;
  LinkedInterrupt& operator=(const LinkedInterrupt&) = delete;
  ~LinkedInterrupt() = default;

  // Valid while this object lives.
  Interrupt get() const { return {stop_.get_token(), event_.get(), &signal_}; }
  void request();

 private:
  int signal_ = 0;
  Fd event_;
  std::stop_source stop_;
  // The last member: it calls request().
  std::stop_callback<std::function<void()>> outer_;
};

}  // namespace barman
