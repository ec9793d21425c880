#include "base/program_start.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/error.h"
#include "base/process.h"

namespace barman {
namespace {

void open_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) != -1 || errno != EBADF) continue;
    // Those below are open, so that this one is the lowest that is free.
    if (::open("/dev/null", O_RDONLY) != fd) throw_errno("cannot open \"/dev/null\"");
  }
}

// Children get the limit back that we were given: old programs (select(2)) do not bear descriptors
// beyond 1023.
void raise_file_limit() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  const rlimit given = limit;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) == 0) set_file_limit_of_children(given.rlim_cur);
}

}  // namespace

void prepare_program() {
  open_standard_descriptors();
  raise_file_limit();
  if (::signal(SIGXFSZ, SIG_IGN) == SIG_ERR) throw_errno("cannot ignore SIGXFSZ");
}

bool write_plainly(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace barman
