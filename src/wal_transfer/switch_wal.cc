#include "wal_transfer/switch_wal.h"

#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file_lock.h"
#include "base/hint.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/log_components.h"
#include "postgres/queries.h"
#include "postgres/system_id.h"
#include "postgres/version_facts.h"
#include "wal_archive/known_cluster.h"
#include "wal_transfer/processes.h"
#include "wal_transfer/wait_for_wal.h"

namespace barman::wal_transfer {
namespace {

// Text and kind of Barman; the reason goes to the log and the hint.
[[noreturn]] void throw_unable(const server::Server& server, const Error& error) {
  log::error(log::kServerComponent, "cannot switch WAL of server '{}': {}", server.name(),
             error.describe());
  throw Error(error.kind(),
              fmt::format("Unable to perform pg_switch_wal for server '{}'.", server.name()),
              with_hint_inside(error.describe(), error.hint()));
}

void checkpoint_with_rights(postgres::Connection& connection) {
  const postgres::Privileges privileges = postgres::query_privileges(connection);
  if (!privileges.superuser && !privileges.checkpoint) {
    throw Error(ErrorKind::permission,
                "Barman switch-wal --force requires superuser rights or the 'pg_checkpoint' role",
                fmt::format("GRANT pg_checkpoint TO {}; (before 15: leave --force out).",
                            connection.user()));
  }
  postgres::request_checkpoint(connection);
}

void require_privileges(postgres::Connection& connection) {
  const postgres::Privileges privileges = postgres::query_privileges(connection);
  if (privileges.superuser || privileges.backup) return;
  throw Error(ErrorKind::permission,
              fmt::format("Postgres user '{}' is missing required privileges (see \"Preliminary "
                          "steps\" in the Barman manual)",
                          connection.user()),
              "Grant it EXECUTE on pg_switch_wal() and the role pg_monitor.");
}

// WAL of a strange cluster does not come in, and is not ours to close.
void refuse_strange_cluster(const server::Server& server, postgres::Connection& connection) {
  std::optional<postgres::SystemId> found;
  try {
    found = postgres::query_system_id(connection);
  } catch (const Error& error) {  // Without the right to read it the switch is possible.
    if (error.kind() != ErrorKind::permission) throw;
  }
  if (!found) return;
  wal_archive::refuse_other_cluster(server, postgres::format_system_id(*found), "conninfo");
}

// nullopt when the server is a standby whose primary is not configured.
std::optional<postgres::WalSwitch> switch_segment(const server::Server& server,
                                                  const SwitchRequest& request,
                                                  Messages& messages) {
  postgres::Connection connection = server.connect();
  refuse_strange_cluster(server, connection);
  if (postgres::is_in_recovery(connection)) {
    if (!server.config().primary_conninfo) return std::nullopt;
    if (request.checkpoint == SwitchRequest::Checkpoint::first) checkpoint_with_rights(connection);
    connection = server.connect_primary();
  } else {
    warn_of_ignored_primary(server, messages);
    if (request.checkpoint == SwitchRequest::Checkpoint::first) checkpoint_with_rights(connection);
  }
  require_privileges(connection);
  return postgres::switch_wal(connection, postgres::query_settings(connection).segment_size);
}

std::optional<postgres::WalSwitch> switch_or_explain(const server::Server& server,
                                                     const SwitchRequest& request,
                                                     Messages& messages) {
  // What the server refuses or the network does not carry gets the text that scripts know.
  try {
    return switch_segment(server, request, messages);
  } catch (const postgres::SqlError& error) {
    throw_unable(server, error);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::connection) throw;
    throw_unable(server, error);
  }
}

// One that begins has no lock yet.
bool has_receiver(const server::Server& server) {
  return FileLock::holder(catalogue::receive_wal_lock(server.locks())).has_value() ||
         is_receiver_starting(server);
}

// False when the WAL cannot come, which is said at once. `cron` may just have started a receiver.
bool may_arrive(const server::Server& server, const SwitchRequest& request, Messages& messages) {
  constexpr int kLooks = 3;
  constexpr int kLookPauseMs = 100;
  if (!server.config().streaming_archiver || server.config().archiver) return true;
  for (int look = 0; look < kLooks; ++look) {
    if (has_receiver(server) || server.interrupt().is_requested()) return true;
    sleep_unless_interrupted(kLookPauseMs, server.interrupt());
  }
  const std::string text = fmt::format(
      "No receive-wal runs for server '{0}': WAL does not come in. Start it (\"barman cron\"), and "
      "look at \"barman check {0}\".",
      server.name());
  if (request.without_receiver == SwitchRequest::WithoutReceiver::wait) {
    messages.warning(text);
    return true;
  }
  messages.error(text + " Nothing is waited for (--archive-timeout waits all the same).");
  return false;
}

}  // namespace

void warn_of_ignored_primary(const server::Server& server, Messages& messages) {
  if (!server.config().primary_conninfo) return;
  messages.warning(
      "'primary_conninfo' is set but 'conninfo' does not point to a standby server. Ignoring "
      "'primary_conninfo'.");
}

void switch_wal(const server::Server& server, const SwitchRequest& request, Messages& messages) {
  // Before the switch: a fast archiver would have the segment in place otherwise.
  LastSegments before;
  if (request.archive_timeout) before = list_last_segments(server);
  const std::optional<postgres::WalSwitch> result = switch_or_explain(server, request, messages);
  if (!result) {
    messages.info(
        fmt::format("No switch performed because server '{}' is a standby.", server.name()));
  } else if (result->closed) {
    messages.info(fmt::format("The WAL file {} has been closed on server '{}'", *result->closed,
                              server.name()));
  } else {
    messages.info(fmt::format("No switch required for server '{}'", server.name()));
  }
  if (!request.archive_timeout) return;
  if (!may_arrive(server, request, messages)) return;
  if (result && result->closed) {
    wait_for_wal(server, *result->closed, *request.archive_timeout, messages);
  } else {
    wait_for_any_wal(server, before, *request.archive_timeout, messages);
  }
}

}  // namespace barman::wal_transfer
