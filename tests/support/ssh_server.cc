#include "support/ssh_server.h"

#include <signal.h>

#include <cstdlib>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "support/eventually.h"
#include "support/port.h"
#include "support/privileges.h"

namespace barman::test {
namespace fs = std::filesystem;
namespace {

constexpr const char* kDaemon = "/usr/sbin/sshd";

fs::path built_client(const std::string& name) { return barman_program().parent_path() / name; }

}  // namespace

bool SshServer::is_available() { return fs::exists(kDaemon); }

SshServer::SshServer(const BarmanHome& barman, const Options& options)
    : server_environment_(barman.environment_for_restore_command()) {
  std::tie(port_, port_lock_) = reserve_port();
  write_keys();
  std::string environment;
  for (const auto& [name, value] : server_environment_) {
    environment += fmt::format(" \"{}={}\"", name, value);
  }
  write_text(file("sshd_config"),
             // A key exchange that is cheap: tests connect some thousand times.
             fmt::format("Port {}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\n"
                         "KexAlgorithms curve25519-sha256\nCiphers ^aes128-gcm@openssh.com\n"
                         "UsePAM no\nStrictModes no\nPidFile {}\nMaxStartups 100\nMaxSessions 100\n"
                         "SetEnv{}\n{}",
                         port_, file("host_key").string(), file("user_key.pub").string(),
                         file("pid").string(), environment, options.more_configuration));
  write_text(file("ssh_config"),
             fmt::format("Host *\n  IdentityFile {}\n  IdentitiesOnly yes\n  BatchMode yes\n"
                         "  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n",
                         file("user_key").string()));
  fs::create_directory(file("bin"));
  write_text(file("bin/ssh"), fmt::format("#!/bin/sh\nexec /usr/bin/ssh -F {} \"$@\"\n",
                                          shell_quote(file("ssh_config").string())));
  fs::permissions(file("bin/ssh"), fs::perms(0755));
  for (const char* name : {"barman-wal-archive", "barman-wal-restore"}) {
    fs::create_symlink(built_client(name), file("bin") / name);
  }
  start();
}

SshServer::~SshServer() {
  if (daemon_) stop();
}

void SshServer::write_keys() const {
  for (const char* name : {"host_key", "user_key"}) {
    run_checked(
        {.argv = {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file(name).string()}});
  }
}

void SshServer::force_command(const std::string& command) const {
  const std::string key = read_text(file("user_key.pub"));
  const std::string options =
      command.empty() ? "" : "command=\"" + replace_all(command, "\"", "\\\"") + "\" ";
  write_text(file("user_key.pub"), options + key.substr(key.find("ssh-ed25519 ")));
}

void SshServer::start() {
  daemon_.emplace(CommandRequest{
      .argv = {kDaemon, "-D", "-f", file("sshd_config").string(), "-E", file("log").string()}});
  const bool is_up = eventually([&] {
    return run_command({.argv = {"ssh-keyscan", "-p", std::to_string(port_), "127.0.0.1"}})
               .out.find("ssh-ed25519") != std::string::npos;
  });
  if (!is_up) throw Error(ErrorKind::connection, "sshd does not answer: " + read_text(file("log")));
}

void SshServer::stop() {
  for (const pid_t child : list_children(daemon_->pid())) ::kill(child, SIGKILL);
  daemon_->kill(SIGKILL);
  daemon_->wait();
  daemon_.reset();
}

std::size_t SshServer::connections() const {
  const std::string log = read_text(file("log"));
  std::size_t count = 0;
  for (std::size_t at = log.find("Accepted "); at != std::string::npos;
       at = log.find("Accepted ", at + 1)) {
    ++count;
  }
  return count;
}

std::vector<std::string> SshServer::argv(const std::string& program,
                                         const std::vector<std::string>& options) const {
  std::vector<std::string> words = {(directory_.path() / "bin" / program).string(), "-U",
                                    user_name(), "--port", std::to_string(port_)};
  words.insert(words.end(), options.begin(), options.end());
  words.emplace_back("127.0.0.1");
  return words;
}

std::string SshServer::command(const std::string& program, const std::string& options) const {
  return fmt::format("{} -U {} --port {} {} 127.0.0.1",
                     (directory_.path() / "bin" / program).string(), user_name(), port_, options);
}

std::string SshServer::shell() const {
  return fmt::format("{} -p {} {}@127.0.0.1", file("bin/ssh").string(), port_, user_name());
}

std::map<std::string, std::string> SshServer::environment() const {
  const char* inherited = std::getenv("PATH");
  return {
      {"PATH", file("bin").string() + ":" + (inherited == nullptr ? "/usr/bin:/bin" : inherited)},
      {"TMPDIR", directory_.path().string()}};
}

}  // namespace barman::test
