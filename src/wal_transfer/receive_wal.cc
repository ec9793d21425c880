#include "wal_transfer/receive_wal.h"

#include <sys/prctl.h>

#include <csignal>
#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/error.h"
#include "base/hint.h"
#include "base/log.h"
#include "base/log_components.h"
#include "catalogue/locks.h"
#include "postgres/queries.h"
#include "replication/slot.h"
#include "replication/system_identity.h"
#include "wal_archive/known_cluster.h"
#include "wal_transfer/receive_loop.h"
#include "wal_transfer/wal_session.h"

namespace barman::wal_transfer {
namespace {

// For errors whose own text is fixed by Barman.
std::string reason_and_hint(const Error& error) {
  return with_hint_inside(error.describe(), error.hint());
}

void check_system(const server::Server& server, postgres::SystemId found) {
  wal_archive::refuse_other_cluster(server, postgres::format_system_id(found),
                                    "the connection strings");
}

postgres::SystemId check_prerequisites(const server::Server& server) {
  postgres::Connection sql = server.connect();
  const postgres::Privileges privileges = postgres::query_privileges(sql);
  if (!privileges.superuser && !privileges.monitoring) {
    throw Error(ErrorKind::permission,
                fmt::format("user '{}' must not read the settings of the server", sql.user()),
                "Grant it the role pg_monitor.");
  }
  if (postgres::query_settings(sql).wal_level == "minimal") {
    throw Error(ErrorKind::config, "wal_level is 'minimal'",
                "Set wal_level to 'replica' and restart PostgreSQL.");
  }
  const postgres::SystemId system_id = postgres::query_system_id(sql);
  postgres::Connection streaming =
      server.connect_streaming(server.config().streaming_archiver_name);
  const postgres::SystemId streamed = replication::identify_system(streaming).system_id;
  if (streamed != system_id) {
    throw Error(ErrorKind::config,
                "conninfo and streaming_conninfo lead to different PostgreSQL clusters",
                "Make both lead to the same server.");
  }
  check_system(server, system_id);
  return system_id;
}

postgres::SystemId check_or_explain(const server::Server& server) {
  // Whatever the reason, scripts know this text; the reason goes to the log and into the hint.
  try {
    return check_prerequisites(server);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    log::error(log::kWalArchiverComponent, "cannot stream WAL of server '{}': {}", server.name(),
               error.describe());
    throw Error(error.kind(),
                fmt::format("Impossible to start WAL streaming. {} 'barman check {}'",
                            log::has_file() ? "Check the log for more details, or run" : "Run",
                            server.name()),
                reason_and_hint(error));
  }
}

// The name of the configured slot, and a session to manage it.
const std::string& require_slot_settings(const server::Server& server, std::string_view action) {
  const std::string prefix = fmt::format("Unable to {} a physical replication slot: ", action);
  if (!server.config().streaming_conninfo) {
    throw Error(ErrorKind::config, prefix + "streaming connection not configured",
                fmt::format("Set streaming_conninfo in section [{}].", server.name()));
  }
  if (!server.config().slot_name) {
    throw Error(ErrorKind::config, prefix + "slot_name configuration option required",
                fmt::format("Set slot_name = barman in section [{}].", server.name()));
  }
  return *server.config().slot_name;
}

postgres::Connection connect_for_slot(const server::Server& server) {
  // The text of Barman instead of libpq's, which becomes the hint.
  try {
    return server.connect_streaming(server.config().streaming_archiver_name);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::connection && error.kind() != ErrorKind::permission) throw;
    throw Error(error.kind(), fmt::format("Cannot connect to server '{}'", server.name()),
                reason_and_hint(error));
  }
}

}  // namespace

void require_receiver(const server::Server& server) {
  if (server.config().is_passive()) {
    throw Error(ErrorKind::config,
                fmt::format("receive-wal is not possible on passive server '{}'", server.name()),
                "Run it on the primary node: this one copies what that one has.");
  }
  if (!server.config().streaming_archiver) {
    throw Error(ErrorKind::config,
                "Unable to start receive-wal process: streaming_archiver option set to 'off' in "
                "barman configuration file",
                fmt::format("Set streaming_archiver = on in section [{}]; with archiver = on WAL "
                            "comes by archive_command, without receive-wal.",
                            server.name()));
  }
}

int receive_wal(const server::Server& server, Messages& messages) {
  const postgres::SystemId system_id = check_or_explain(server);
  messages.info(fmt::format("Starting receive-wal for server {}", server.name()));
  const FileLock lock = server::lock_or_throw(
      catalogue::receive_wal_lock(server.locks()),
      fmt::format("Another receive-wal process is already running for server {}.", server.name()));
  make_directories(server.locations().streaming_directory);
  // Scripts of operators look for it with `ps -C` and `pgrep`.
  ::prctl(PR_SET_NAME, "pg_receivewal");
  const std::unique_ptr<WalSession> session = make_wal_session(server, system_id, messages);
  ReceiveLoop(server, *session, messages).run();
  const int signal = server.interrupt().signal();
  if (signal == SIGINT) messages.info("SIGINT received. Terminate gracefully.");
  // Somebody has ended it: cron has nothing to warn of.
  if (signal != 0) lock.forget_holder();
  return signal;
}

void create_slot(const server::Server& server, WhenSlotExists when_exists, Messages& messages) {
  const std::string& name = require_slot_settings(server, "create");
  postgres::Connection connection = connect_for_slot(server);
  // Nobody would stream from it: the slot of a foreign cluster fills that cluster's disk.
  check_system(server, replication::identify_system(connection).system_id);
  messages.info(
      fmt::format("Creating physical replication slot '{}' on server '{}'", name, server.name()));
  // Outcomes with texts that scripts know.
  try {
    replication::create_physical_slot(connection, name);
  } catch (const postgres::SqlError& error) {
    if (error.sqlstate() == "53400") {
      throw Error(error.kind(),
                  fmt::format("All replication slots for server '{}' are in use\nFree one or "
                              "increase the max_replication_slots value on your PostgreSQL server.",
                              server.name()));
    }
    throw Error(error.kind(),
                fmt::format("Cannot create replication slot '{}' on server '{}': {}", name,
                            server.name(), error.message()),
                fmt::format("For what is missing, run: barman doctor {}", server.name()));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::conflict) throw;
    if (when_exists == WhenSlotExists::fail) {
      throw Error(error.kind(), fmt::format("Replication slot '{}' already exists", name),
                  fmt::format("If it is barman's, nothing is to be done (--if-not-exists says so); "
                              "else set another slot_name in section [{}].",
                              server.name()));
    }
    messages.info(
        fmt::format("Replication slot '{}' already exists and --if-not-exists was "
                    "specified. Skipping creation",
                    name));
    return;
  }
  messages.info(fmt::format("Replication slot '{}' created", name));
}

void drop_slot(const server::Server& server, Messages& messages) {
  const std::string& name = require_slot_settings(server, "drop");
  postgres::Connection connection = connect_for_slot(server);
  messages.info(
      fmt::format("Dropping physical replication slot '{}' on server '{}'", name, server.name()));
  // Outcomes with texts that scripts know.
  try {
    replication::drop_slot(connection, name);
  } catch (const postgres::SqlError& error) {
    throw Error(error.kind(),
                fmt::format("Cannot drop replication slot '{}' on server '{}': {}", name,
                            server.name(), error.message()),
                fmt::format("For what is missing, run: barman doctor {}", server.name()));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found) {
      throw Error(error.kind(), fmt::format("Replication slot '{}' does not exist", name),
                  "Nothing has to be dropped. SELECT * FROM pg_replication_slots names those that "
                  "there are.");
    }
    if (error.kind() != ErrorKind::conflict) throw;
    throw Error(error.kind(),
                fmt::format("Cannot drop replication slot '{}' on server '{}' "
                            "because it is in use.",
                            name, server.name()),
                fmt::format("End its receiver first: barman terminate-process {} receive-wal",
                            server.name()));
  }
  messages.info(fmt::format("Replication slot '{}' dropped", name));
}

}  // namespace barman::wal_transfer
