#include "client/background.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <exception>

namespace barman::client {
namespace {

void detach() {
  ::setsid();
  // Nobody here watches for the signals that the program has blocked: they end this process.
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = ::open("/dev/null", O_RDWR);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, fd);
  // Whatever PostgreSQL has left open.
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  // So that its data directory can be removed.
  if (::chdir("/") != 0) ::_exit(1);
}

}  // namespace

void run_in_background(const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child < 0) return;
  if (child > 0) {
    // It forks once more, so that nobody has to wait for the process itself.
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) continue;
    return;
  }
  if (::fork() != 0) ::_exit(0);
  detach();
  // A forked process must not run the handlers of the program it comes from.
  try {
    work();
  } catch (const std::exception&) {
    ::_exit(1);
  }
  ::_exit(0);
}

}  // namespace barman::client
