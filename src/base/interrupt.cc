#include "base/interrupt.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <thread>

#include "base/error.h"
#include "base/worker_pool.h"

namespace barman {

void Interrupt::throw_if_requested() const {
  if (is_requested()) {
    throw Error(ErrorKind::interrupted, "Process interrupted by user (KeyboardInterrupt)");
  }
}

struct SignalSource::State {
  std::stop_source stop;
  Fd signals;
  Fd event;
  Fd quit;
  int signal = 0;
  std::jthread watcher;

  // Until `quit` is written to.
  void watch() {
    std::array<pollfd, 2> fds = {pollfd{signals.get(), POLLIN, 0}, pollfd{quit.get(), POLLIN, 0}};
    for (;;) {
      if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) return;
      if (fds[1].revents != 0) return;
      signalfd_siginfo info = {};
      if (fds[0].revents != 0 &&
          ::read(signals.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        take(static_cast<int>(info.ssi_signo));
      }
    }
  }
  void take(int received) {
    if (stop.stop_requested()) {
      if (received == SIGINT) ::_exit(130);
      return;
    }
    signal = received;
    stop.request_stop();
    ::eventfd_write(event.get(), 1);
  }
};

namespace {

sigset_t watched_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&set, signal);
  return set;
}

}  // namespace

SignalSource::SignalSource() : state_(std::make_unique<State>()) {
  const sigset_t set = watched_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  if (::signal(SIGPIPE, SIG_IGN) == SIG_ERR) throw_errno("cannot ignore SIGPIPE");
  state_->signals = Fd(::signalfd(-1, &set, SFD_CLOEXEC));
  state_->event = Fd(::eventfd(0, EFD_CLOEXEC));
  state_->quit = Fd(::eventfd(0, EFD_CLOEXEC));
  if (!state_->signals.is_open() || !state_->event.is_open() || !state_->quit.is_open()) {
    throw_errno("cannot watch signals");
  }
  try {
    state_->watcher = start_thread([state = state_.get()] { state->watch(); });
  } catch (const Error&) {
    // Where the system allows no thread, a signal ends the program at once. It bears that at any
    // moment, and what needs no thread still works.
    ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  }
}

SignalSource::~SignalSource() { ::eventfd_write(state_->quit.get(), 1); }

Interrupt SignalSource::interrupt() const {
  return {state_->stop.get_token(), state_->event.get(), &state_->signal};
}

WaitResult wait_for_fd(int fd, WaitFor what, int timeout_ms, const Interrupt& interrupt) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::milliseconds(timeout_ms);
  const short events = what == WaitFor::readable ? POLLIN : POLLOUT;
  std::array<pollfd, 2> fds = {pollfd{fd, events, 0}, pollfd{interrupt.fd(), POLLIN, 0}};
  for (;;) {
    int rest_ms = timeout_ms;
    if (timeout_ms >= 0) {
      const auto rest =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
      rest_ms = rest > 0 ? static_cast<int>(rest) : 0;
    }
    const int count = ::poll(fds.data(), fds.size(), rest_ms);
    if (count < 0 && errno != EINTR) throw_errno("cannot wait for a descriptor");
    if (fds[1].revents != 0) return WaitResult::interrupted;
    if (count > 0 && fds[0].revents != 0) return WaitResult::ready;
    if (count == 0) return WaitResult::timeout;
  }
}

bool sleep_unless_interrupted(int timeout_ms, const Interrupt& interrupt) {
  return wait_for_fd(-1, WaitFor::readable, timeout_ms, interrupt) == WaitResult::interrupted;
}

}  // namespace barman
