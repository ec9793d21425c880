// Looks, by SQL, whether the server process of a silent replication connection still exists.
// Silence alone means little: a checkpoint, the wait for archived WAL, or a process that somebody
// has stopped may last for hours. But when the process is gone and its last words were lost on the
// way (a firewall that has forgotten the connection, a proxy), nothing would ever come.
#pragma once

#include <chrono>
#include <optional>

#include "base/progress.h"
#include "server/server.h"

namespace barman::backup {

class BackendWatch {
 public:
  // Asks whether the process can be seen at all: an absence counts only when it was there before.
  BackendWatch(const server::Server& server, int pid, Messages& messages);

  static constexpr std::chrono::seconds kInterval{30};
  // When the server cannot be asked either, for so long.
  static constexpr std::chrono::minutes kMaxUnreachable{10};

  // After so much silence. Throws `connection` when the process is gone, or when nobody has
  // answered for kMaxUnreachable; tells from time to time that it waits. From one thread at a time.
  void look(std::chrono::milliseconds silence);

 private:
  std::optional<std::string> ask() const;
  void tell(const std::string& text, std::chrono::milliseconds silence);

  const server::Server& server_;
  const int pid_;
  Messages& messages_;
  bool was_seen_ = false;
  std::optional<std::chrono::milliseconds> unreachable_since_;
  std::chrono::milliseconds told_at_{0};
};

}  // namespace barman::backup
