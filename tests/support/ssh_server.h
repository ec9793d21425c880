// A real sshd on 127.0.0.1, for the user that the tests run as, behind which `barman` is the
// program of a BarmanHome; and what a client needs to reach it without any file outside of the
// test's directory.
//
//   SshServer ssh(barman);
//   PostgresServer postgres({.settings = {{"archive_mode", "on"},
//       {"archive_command", ssh.command("barman-wal-archive") + " main %p"}},
//       .environment = ssh.environment()});
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "support/barman_home.h"
#include "support/command.h"
#include "support/temp_dir.h"

namespace barman::test {

class SshServer {
 public:
  static constexpr const char* kUnavailable = "sshd is not installed";
  static bool is_available();

  struct Options {
    // Lines of sshd_config.
    std::string more_configuration = {};
  };

  explicit SshServer(const BarmanHome& barman) : SshServer(barman, Options()) {}
  SshServer(const BarmanHome& barman, const Options& options);
  // Nobody keeps a connection to it.
  ~SshServer();
  SshServer(const SshServer&) = delete;
  SshServer& operator=(const SshServer&) = delete;

  int port() const { return port_; }
  // The program with the options for this server and its host: what comes next is the name of the
  // server in barman.conf.
  std::vector<std::string> argv(const std::string& program,
                                const std::vector<std::string>& options = {}) const;
  std::string command(const std::string& program, const std::string& options = "") const;
  // For ssh_command: the whole path of an `ssh` that knows the key and the host, and how it gets
  // there.
  std::string shell() const;
  // PATH with an `ssh` that knows the key and the host; TMPDIR of this server's own, for what the
  // clients keep.
  std::map<std::string, std::string> environment() const;

  // What the key may do only, from the next connection on: "rrsync -ro /"; the command asked for is
  // in SSH_ORIGINAL_COMMAND. Empty = everything.
  void force_command(const std::string& command) const;

  void start();
  // All connections end with it.
  void stop();
  // How many connections were made.
  std::size_t connections() const;

 private:
  std::filesystem::path file(const std::string& name) const { return directory_.path() / name; }
  void write_keys() const;

  TempDir directory_;
  std::map<std::string, std::string> server_environment_;
  int port_ = 0;
  Fd port_lock_;
  std::optional<BackgroundCommand> daemon_;
};

}  // namespace barman::test
