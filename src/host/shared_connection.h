// One ssh connection for all calls of a user to a host: the first one makes it, ssh keeps it for a
// minute after the last one (ControlMaster of ssh_config(5)). A handshake costs more than sending a
// segment. Nothing is thrown: without a safe directory for the socket (TMPDIR, or /tmp) each call
// connects by itself.
#pragma once

#include "host/ssh_target.h"

namespace barman::host {

// The words for ssh itself to use the connection with this socket, or to make it (with a quick
// cipher). Empty when the path is too long for a socket.
std::vector<std::string> connection_options(const SshTarget& target,
                                            const std::filesystem::path& socket);

class SharedConnection {
 public:
  // Its socket is in "barman-ssh-UID" there (0700).
  explicit SharedConnection(const SshTarget& target);

  // The words for ssh itself to go through the connection.
  const std::vector<std::string>& options() const { return options_; }
  // Somebody has made it: when ssh fails now, that may be because the other end has gone since, and
  // a new one may do.
  bool was_there() const { return was_there_; }

 private:
  std::vector<std::string> options_;
  bool was_there_ = false;
};

}  // namespace barman::host
