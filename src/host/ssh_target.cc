#include "host/ssh_target.h"

namespace barman::host {
namespace {

// A socket's path has 108 bytes, and ssh adds 17 while it creates it.
constexpr std::size_t kMaxControlPath = 85;

}  // namespace

std::vector<std::string> kept_connection_options(const std::filesystem::path& socket) {
  if (socket.native().size() > kMaxControlPath) return {};
  return {"-o", "ControlMaster=auto",   "-o", "ControlPath=" + socket.string(),
          "-o", "ControlPersist=60",    "-o", "ServerAliveInterval=10",
          "-o", "ServerAliveCountMax=3"};
}

std::vector<std::string> show_configuration_command(const SshTarget& target) {
  std::vector<std::string> argv = {"ssh", "-G"};
  if (target.port) argv.insert(argv.end(), {"-p", *target.port});
  argv.push_back(target.account());
  return argv;
}

}  // namespace barman::host
