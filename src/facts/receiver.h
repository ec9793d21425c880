// Whether WAL arrives by streaming: the lock of receive-wal, the
// process that holds it, and what PostgreSQL sees of it. For `check` and for cron.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "catalogue/last_reason.h"
#include "postgres/connection.h"
#include "postgres/queries.h"
#include "server/server.h"
#include "wal/lsn.h"

namespace barman::facts {

struct ReceiverProcess {
  // Somebody holds the lock, and nothing tells that it is another program.
  bool is_running = false;
  // As the lock file has it, so of the last receiver when none runs.
  std::optional<pid_t> pid;
  // Whether it is known why the last one failed.
  bool has_reason = false;
  // When it does not run: why, and what to do.
  std::string problem;
  std::string next_step;
};
ReceiverProcess find_receiver(const server::Server& server);

// `command_line` as /proc has it, with NUL between the arguments. True in doubt: Barman's receiver
// is a program of Python, a lock directory may be shared with another machine or container.
bool may_be_receiver(std::string_view command_line);

// What PostgreSQL tells of the session that receives.
struct StreamLook {
  bool is_streaming = false;
  // PostgreSQL shows its session, whatever that does.
  bool is_seen = false;
  // Absent when the user may not see them.
  std::optional<wal::Lsn> current;
  std::optional<wal::Lsn> sent;
  std::optional<wal::Lsn> written;
  std::optional<wal::Lsn> flushed;
};
// What PostgreSQL has told of our receiver.
StreamLook find_stream(const server::Server& server, const postgres::ReplicationStatus& status);
// The same, asked now; `connection` is the one of WAL streaming. Throws when there is no answer.
StreamLook look_at_stream(const server::Server& server, postgres::Connection& connection);
enum class StreamState { streams, absent, stalled };
// From two looks, a while apart. Stalled: PostgreSQL has much WAL that it cannot send.
StreamState judge_stream(const StreamLook& first, const StreamLook& second);

// Looks until the receiver streams, `patience` at most. "" or why it does not, and the next step.
// Throws when PostgreSQL does not answer. `server` and `connection` are those of WAL streaming.
std::string find_stream_problem(const server::Server& server, postgres::Connection& connection,
                                const ReceiverProcess& process, std::chrono::milliseconds patience);

// Why background processes failed (catalogue/last_reason.h). What a receiver said before the one
// that runs is not told, nor what a server does not do any more (a passive node).
std::vector<catalogue::LastReason> list_current_reasons(const server::Server& server);

// For cron: warns of a running receiver that does not stream. Silent when PostgreSQL cannot tell.
void warn_of_idle_receiver(const server::Server& server, const ReceiverProcess& process,
                           Messages& messages);
// For cron, which is about to start it: warns of a receiver that has ended and left its lock file.
void warn_of_ended_receiver(const server::Server& server, const ReceiverProcess& process,
                            Messages& messages);

}  // namespace barman::facts
