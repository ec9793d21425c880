// object_server: an object store (support/object_server.h) for scripts. Prints what a shell needs
// to use it, and keeps it running until it is ended.
//
//   build/release/tests/support/object_server >store.env &
#include <signal.h>

#include <cstdio>
#include <string>

#include <fmt/format.h>

#include "base/error.h"
#include "support/object_server.h"
#include "support/privileges.h"

int main() {
  using barman::test::ObjectServer;
  try {
    barman::test::become_unprivileged();
    sigset_t ends;
    sigemptyset(&ends);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ends, signal);
    sigprocmask(SIG_BLOCK, &ends, nullptr);
    {
      const ObjectServer server;
      std::string text;
      for (const auto& [name, value] : server.environment()) {
        text += fmt::format("export {}={}\n", name, value);
      }
      text += fmt::format(
          "export AWS_CA_BUNDLE={}\nstore_endpoint={}\nstore_tls_endpoint={}\nstore_ready=yes\n",
          server.certificate_file(), server.endpoint(), server.tls_endpoint());
      std::fputs(text.c_str(), stdout);
      std::fflush(stdout);
      int signal = 0;
      sigwait(&ends, &signal);
    }
    barman::test::forget_root();
    return 0;
  } catch (const barman::Error& error) {
    std::fputs((error.describe_with_hint() + "\n").c_str(), stderr);
    return 1;
  }
}
