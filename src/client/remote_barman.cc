#include "client/remote_barman.h"

#include <fmt/format.h>

#include "base/hint.h"
#include "base/process.h"
#include "base/text.h"
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
  words += " " + shell_quote(barman.server) + " " + shell_quote(request.wal_name);
  argv.push_back(std::move(words));
  return argv;
}

std::string connection_problem(const RemoteBarman& barman) {
  const std::string port = barman.port ? "-p " + host::shell_word(*barman.port) + " " : "";
  return with_hint(
      "ERROR: Connection problem with ssh",
      fmt::format("'ssh {}{} barman --version', as the same user, shows the reason.", port,
                  host::shell_word(fmt::format("{}@{}", barman.user, barman.host))));
}

int run_test(const std::vector<std::string>& command) {
  // Both outputs are the program's own.
  return ChildProcess(command, {}).wait();
}

}  // namespace barman::client
