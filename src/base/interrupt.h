// SIGINT and SIGTERM as a state that flows look at. SignalSource blocks the signals in all threads
// and turns the first one into a request to stop; a second SIGINT ends the process at once.
#pragma once

#include <memory>
#include <stop_token>

#include "base/fd.h"

namespace barman {

// What a flow gets: a token to check, and a descriptor that becomes readable when the stop is
// requested, for use in poll(2). Copyable; a default-constructed one never fires.
class Interrupt {
 public:
  Interrupt() = default;
  Interrupt(std::stop_token token, int fd, const int* signal)
      : token_(std::move(token)), fd_(fd), signal_(signal) {}

  bool is_requested() const { return token_.stop_requested(); }
  const std::stop_token& token() const { return token_; }
  // -1 when there is none (poll(2) ignores negative descriptors).
  int fd() const { return fd_; }
  // The signal that was caught, 0 before.
  int signal() const { return signal_ != nullptr ? *signal_ : 0; }
  // Throws `interrupted`.
  void throw_if_requested() const;

 private:
  std::stop_token token_;
  int fd_ = -1;
  const int* signal_ = nullptr;
};

// Created once by the program, before any thread. Owns the watching thread.
class SignalSource {
 public:
  SignalSource();
  SignalSource(const SignalSource&) = delete;
  SignalSource& operator=(const SignalSource&) = delete;
  ~SignalSource();

  Interrupt interrupt() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Waits until `fd` is readable (or writable), the interrupt fires or the time is over.
enum class WaitFor { readable, writable };
enum class WaitResult { ready, timeout, interrupted };
WaitResult wait_for_fd(int fd, WaitFor what, int timeout_ms, const Interrupt& interrupt);
// Sleeps; returns early, true, when the interrupt fires.
bool sleep_unless_interrupted(int timeout_ms, const Interrupt& interrupt);

}  // namespace barman
