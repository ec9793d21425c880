// One ssh connection for all calls of a user to a host: the first one makes it, ssh keeps it for a
// minute after the last one (ControlMaster of ssh_config(5)). A handshake costs more than sending a
// segment.
#pragma once

#include "client/remote_barman.h"

namespace barman::client {

class SharedConnection {
 public:
  // Its socket lies in a directory of this user below the directory for temporary files. Without a
  // safe one every call connects by itself.
  explicit SharedConnection(const RemoteBarman& barman);

  // The same place, reached through the connection.
  RemoteBarman use(RemoteBarman barman) const;
  // Somebody has made it: when ssh fails now, that may be because the other end has gone since, and
  // a new one may do.
  bool was_there() const { return was_there_; }

 private:
  std::vector<std::string> options_;
  bool was_there_ = false;
};

}  // namespace barman::client
