#include "client/remote_barman.h"

#include <fmt/format.h>

#include "base/hint.h"
#include "base/process.h"
#include "base/text.h"
#include "command_line/run_program.h"
#include "host/shell_word.h"

namespace barman::client {
namespace {

std::vector<std::string> ssh_command(const RemoteBarman& barman) {
  std::vector<std::string> argv = {"ssh"};
  if (barman.port) argv.insert(argv.end(), {"-p", *barman.port});
  argv.insert(argv.end(), {"-q", "-T"});
  argv.insert(argv.end(), barman.ssh_options.begin(), barman.ssh_options.end());
  argv.push_back(fmt::format("{}@{}", barman.user, barman.host));
  argv.emplace_back("barman");
  return argv;
}

// For a command line that somebody types: "-p 2222 barman@backup".
std::string place_words(const RemoteBarman& barman) {
  const std::string port = barman.port ? "-p " + host::shell_word(*barman.port) + " " : "";
  return port + host::shell_word(fmt::format("{}@{}", barman.user, barman.host));
}

}  // namespace

std::string RemoteBarman::identity() const {
  return fmt::format("{}@{} {} {} {}", user, host, port.value_or("-"), config_file.value_or("-"),
                     server);
}

std::vector<std::string> put_wal_command(const RemoteBarman& barman, RemoteMode mode) {
  std::vector<std::string> argv = ssh_command(barman);
  if (barman.config_file) argv.push_back("--config=" + shell_quote(*barman.config_file));
  argv.insert(argv.end(), {"put-wal", host::shell_word(barman.server)});
  if (mode == RemoteMode::test) argv.emplace_back("--test");
  return argv;
}

std::vector<std::string> get_wal_command(const RemoteBarman& barman, const GetWalRequest& request) {
  std::vector<std::string> argv = ssh_command(barman);
  if (barman.config_file) argv.push_back("--config " + shell_quote(*barman.config_file));
  std::string words = "get-wal";
  if (request.mode == RemoteMode::test) words += " --test";
  if (request.peek) words += fmt::format(" --peek '{}'", *request.peek);
  for (const std::string& option : request.compression_options) words += " " + option;
  if (request.takes_partial) words += " --partial";
  if (request.names_cluster && request.system_id)
    words += fmt::format(" --cluster {}", *request.system_id);
  words += " " + shell_quote(barman.server) + " " + shell_quote(request.wal_name);
  argv.push_back(std::move(words));
  return argv;
}

std::string connection_problem(const RemoteBarman& barman) {
  return with_hint("ERROR: Connection problem with ssh",
                   fmt::format("'ssh {} barman --version', as the same user, shows the reason.",
                               place_words(barman)));
}

std::string ssh_next_step(const RemoteBarman& barman, std::string_view message) {
  const auto says = [&](std::string_view phrase) {
    return message.find(phrase) != std::string_view::npos;
  };
  const std::string place = place_words(barman);
  if (says("Host key verification failed")) {
    return fmt::format("Run 'ssh {} true' once, as the same user, and compare the key of the host.",
                       place);
  }
  if (says("Permission denied")) {
    return fmt::format(
        "Let the key of this user in: 'ssh-keygen -t ed25519' unless there is one, then "
        "'ssh-copy-id {}', or add ~/.ssh/id_ed25519.pub to ~{}/.ssh/authorized_keys there.",
        place, barman.user);
  }
  if (says("Connection refused")) {
    return fmt::format("Check that sshd runs on {} and listens on this port (--port).",
                       barman.host);
  }
  if (says("Could not resolve")) return "Correct BARMAN_HOST, or add it to /etc/hosts.";
  if (says("timed out") || says("No route")) {
    return fmt::format("Check the network and the firewall on the way to {}.", barman.host);
  }
  return fmt::format("'ssh -v {} true', as the same user, tells more.", place);
}

int run_test(const RemoteBarman& barman, const std::vector<std::string>& command) {
  // Both outputs are the program's own.
  const int exit_code = ChildProcess(command, {}).wait();
  if (exit_code != kSshFailure) return exit_code;
  std::vector<std::string> argv = {"ssh"};
  if (barman.port) argv.insert(argv.end(), {"-p", *barman.port});
  argv.insert(argv.end(), {"-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10",
                           fmt::format("{}@{}", barman.user, barman.host), "true"});
  const ProcessResult result = run_process({.argv = argv});
  const std::string reason = join(split_blanks(result.standard_error), " ");
  if (result.exit_code != kSshFailure || reason.empty()) {
    command_line::tell(connection_problem(barman));
    return exit_code;
  }
  command_line::tell(
      with_hint("ERROR: Connection problem with ssh: " + reason, ssh_next_step(barman, reason)));
  return exit_code;
}

}  // namespace barman::client
