// Makes a server begin a new WAL segment.
#pragma once

#include <chrono>
#include <optional>

#include "base/progress.h"
#include "server/server.h"

namespace barman::wal_transfer {

struct SwitchRequest {
  enum class Checkpoint { no, first };
  Checkpoint checkpoint = Checkpoint::no;
  // Set: wait so long until the closed segment is archived; zero means for ever.
  std::optional<std::chrono::seconds> archive_timeout;
  // What is done when nobody is there who could receive it: a person need not wait.
  enum class WithoutReceiver { fail, wait };
  WithoutReceiver without_receiver = WithoutReceiver::fail;
};

// When conninfo leads to a primary server: primary_conninfo is of no use then.
void warn_of_ignored_primary(const server::Server& server, Messages& messages);

void switch_wal(const server::Server& server, const SwitchRequest& request, Messages& messages);

}  // namespace barman::wal_transfer
