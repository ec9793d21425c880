// `.receiver` in the directory of a server: what receive-wal knows and names of files do not tell.
// Lines "timeline N" (which it receives), "from PID CONNINFO" (its process, and where it streams
// from, without passwords), and, where archived WAL is encrypted, "end NAME LSN SIZE SHA-256" of
// the end of the segment that was completed last.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>

#include "replication/held_wal.h"
#include "wal/wal_file_name.h"

namespace barman::wal_archive {

struct ReceiverNote {
  std::optional<wal::TimelineId> timeline;
  pid_t pid = 0;
  // The connection string that it began with; "" = not known.
  std::string source;
  // The segment, "" = none.
  std::string segment;
  replication::HeldWal end;
};

// Empty when there is none, or when it cannot be read: other receivers leave none either.
ReceiverNote find_receiver_note(const std::filesystem::path& server_directory);
void save_receiver_note(const std::filesystem::path& server_directory, const ReceiverNote& note);

}  // namespace barman::wal_archive
