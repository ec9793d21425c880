// Base backups by whoever copies the files: start and stop, and what the copier has to know of the
// server. The statements are in queries.cc, as all others.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/timestamp.h"
#include "postgres/connection.h"
#include "wal/lsn.h"

namespace barman::postgres {

// The low-level API: a base backup by whoever copies the files. The session that has started it
// must live until it is stopped; when it ends, so does the backup.
struct LowLevelStart {
  // Where recovery will begin.
  wal::Lsn lsn;
  // The server's clock before the checkpoint.
  Timestamp time;
};
enum class StartCheckpoint { spread, fast };
// A concurrent backup belongs to its session. An exclusive one, until PostgreSQL 14, belongs to the
// server: there is one at a time, and it goes on until it is stopped, whoever has started it.
enum class LowLevelForm { concurrent, exclusive };
// Returns when the checkpoint is done. Time limits for statements and idle sessions are lifted.
LowLevelStart start_low_level_backup(Connection& connection, const std::string& label,
                                     StartCheckpoint checkpoint,
                                     LowLevelForm form = LowLevelForm::concurrent);
struct LowLevelStop {
  wal::Lsn lsn;
  // The server's clock behind it.
  Timestamp time;
  // The text of `backup_label`; that of an exclusive backup is a file of the data directory.
  std::string backup_label;
};
// Who waits until the WAL up to there is archived, where the server archives. An exclusive backup
// is always waited for by the server.
enum class ArchiveWaiter { server, caller };
LowLevelStop stop_low_level_backup(Connection& connection, ArchiveWaiter waiter,
                                   LowLevelForm form = LowLevelForm::concurrent);
// The label with which the exclusive backup that runs was started; "" when none runs. Superusers
// may read it, and who was granted pg_read_file().
std::string query_exclusive_label(Connection& connection);
// Ends an exclusive backup that has failed; waits for no WAL.
void abort_exclusive_backup(Connection& connection);
// For a session that is only held: waits at most so long for the server to end it. Throws
// Error(connection) when it has.
void require_held(Connection& connection, std::chrono::milliseconds patience);

// Which of the servers of a cluster answers.
struct Postmaster {
  std::int64_t started_at = 0;  // seconds since the epoch
  std::int64_t port = 0;
  // Bytes of a data page.
  std::int64_t page_size = 0;
};
Postmaster query_postmaster(Connection& connection);

}  // namespace barman::postgres
