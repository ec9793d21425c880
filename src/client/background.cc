#include "client/background.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <system_error>

namespace barman::client {
namespace {

// Those that name files: a relative one is meant from the directory of the caller.
constexpr std::array kFileVariables = {"AWS_SHARED_CREDENTIALS_FILE",
                                       "AWS_CONFIG_FILE",
                                       "AWS_CA_BUNDLE",
                                       "AWS_WEB_IDENTITY_TOKEN_FILE",
                                       "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                                       "AWS_CREDENTIAL_FILE",
                                       "AZURE_FEDERATED_TOKEN_FILE",
                                       "GOOGLE_APPLICATION_CREDENTIALS",
                                       "SSL_CERT_FILE",
                                       "SSL_CERT_DIR"};

// No other thread is in this process.
void keep_file_variables() {
  for (const char* name : kFileVariables) {
    const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
    if (value == nullptr || value[0] == '\0' || value[0] == '/' || value[0] == '~') continue;
    std::error_code code;
    const std::filesystem::path path = std::filesystem::absolute(value, code);
    if (!code) ::setenv(name, path.c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
  }
}

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
  keep_file_variables();
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
