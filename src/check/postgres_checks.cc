#include <optional>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file_lock.h"
#include "base/text.h"
#include "check/check_run.h"
#include "postgres/queries.h"
#include "postgres/version_facts.h"
#include "replication/system_identity.h"

namespace barman::check {
namespace {

// The oldest server whose BASE_BACKUP and START_REPLICATION the built-in client speaks.
constexpr int kOldestForClient = 100000;

std::string reason_of(const Error& error) {
  // One line, whatever libpq's message looks like.
  std::string text = join(split_blanks(error.describe()), " ");
  if (error.hint().empty()) return text;
  const bool is_sentence = text.ends_with('?') || text.ends_with('.');
  return text + (is_sentence ? " " : ". ") + error.hint();
}

bool has_postgres(const config::ServerConfig& config) {
  return config.active && !config.is_passive() && config.conninfo.has_value();
}
bool has_streaming(const config::ServerConfig& config) {
  return config.active && !config.is_passive() && config.streaming_conninfo.has_value() &&
         (config.backup_method == config::BackupMethod::postgres || config.streaming_archiver);
}

std::optional<postgres::Connection> try_connect(const CheckRun& run) {
  try {
    return run.server.connect(run.deadline.connection_limits());
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    return std::nullopt;
  }
}

void check_streaming(const CheckRun& run) {
  if (!has_streaming(run.server.config())) return;
  try {
    postgres::Connection connection = run.server.connect_streaming(
        run.server.config().streaming_archiver_name, run.deadline.connection_limits());
    replication::identify_system(connection);
    run.pass("PostgreSQL streaming");
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    run.fail("PostgreSQL streaming", reason_of(error));
  }
}

void check_privileges(const CheckRun& run, postgres::Connection& connection) {
  if (postgres::query_privileges(connection).backup) {
    run.pass("superuser or standard user with backup privileges");
  } else {
    run.fail("no access to backup functions",
             "privileges for PostgreSQL backup functions are required (see documentation)");
  }
}

void check_wal_level(const CheckRun& run, const postgres::ServerSettings& settings) {
  if (!settings.wal_level) return;
  if (*settings.wal_level == "minimal") {
    run.fail("wal_level", "please set it to a higher level than 'minimal'");
  } else {
    run.pass("wal_level");
  }
}

void check_standby(const CheckRun& run, postgres::Connection& connection) {
  if (!run.server.config().primary_conninfo) return;
  if (!postgres::is_in_recovery(connection)) {
    return run.fail_uncritically(
        "PostgreSQL server is standby",
        "conninfo should point to a standby server if primary_conninfo is set");
  }
  run.pass("PostgreSQL server is standby");
  try {
    postgres::Connection primary = run.server.connect_primary(run.deadline.connection_limits());
    if (postgres::is_in_recovery(primary)) {
      run.fail("Primary server is not a standby",
               "primary_conninfo should point to a primary server, not a standby");
    } else {
      run.pass("Primary server is not a standby");
    }
    if (postgres::query_system_id(primary) == postgres::query_system_id(connection)) {
      run.pass("Primary and standby have same system ID");
    } else {
      run.fail("Primary and standby have same system ID",
               "primary_conninfo and conninfo should point to primary and standby servers which "
               "share the same "
               "system identifier");
    }
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    run.fail("Primary server is not a standby", reason_of(error));
  }
}

void check_slot(const CheckRun& run, postgres::Connection* connection) {
  const config::ServerConfig& config = run.server.config();
  if (!config.slot_name) return;
  const std::string label = "replication slot";
  if (connection == nullptr) {
    if (config.streaming_archiver)
      run.fail(label, "PostgreSQL cannot be reached to look at the slot");
    return;
  }
  const std::optional<postgres::ReplicationSlot> slot =
      postgres::find_replication_slot(*connection, *config.slot_name);
  if (!config.streaming_archiver) {
    if (slot && (slot->active || slot->restart_lsn)) {
      run.pass(label, fmt::format("WARNING: slot '{}' is {} but not required by the current config",
                                  *config.slot_name, slot->active ? "active" : "initialised"));
    }
    return;
  }
  if (!slot) {
    run.fail(label,
             fmt::format("replication slot '{}' doesn't exist. Please execute 'barman receive-wal "
                         "--create-slot {}'",
                         *config.slot_name, config.name));
  } else if (!slot->restart_lsn) {
    run.fail(label, fmt::format("slot '{}' not initialised: is 'receive-wal' running?",
                                *config.slot_name));
  } else if (!slot->active) {
    run.fail(label,
             fmt::format("slot '{}' not active: is 'receive-wal' running?", *config.slot_name));
  } else {
    run.pass(label);
  }
}

void check_connected(const CheckRun& run, postgres::Connection& connection) {
  check_privileges(run, connection);
  check_streaming(run);
  check_wal_level(run, postgres::query_settings(connection));
  check_standby(run, connection);
  check_slot(run, &connection);
}

std::optional<postgres::SystemId> streaming_system_id(const CheckRun& run) {
  if (!has_streaming(run.server.config())) return std::nullopt;
  try {
    postgres::Connection connection = run.server.connect_streaming(
        run.server.config().streaming_archiver_name, run.deadline.connection_limits());
    return replication::identify_system(connection).system_id;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    return std::nullopt;
  }
}

void check_system_id(const CheckRun& run, const std::optional<postgres::SystemId>& by_sql) {
  const std::string label = "systemid coherence";
  const std::optional<postgres::SystemId> by_streaming = streaming_system_id(run);
  if (by_sql && by_streaming && *by_sql != *by_streaming) {
    return run.fail(
        label,
        "is the streaming DSN targeting the same server of the PostgreSQL connection string?");
  }
  const std::optional<postgres::SystemId> current = by_sql ? by_sql : by_streaming;
  if (!current) return run.pass(label, "no system Id available");
  const std::optional<catalogue::Identity> known = run.server.catalogue().find_identity();
  if (!known) return run.pass(label, "no system Id stored on disk");
  if (known->system_id != postgres::format_system_id(*current)) {
    return run.fail(label,
                    "the system Id of the connected PostgreSQL server changed, stored in \"" +
                        run.server.config().backup_directory + "/identity.json\"");
  }
  run.pass(label);
}

void check_client(const CheckRun& run, const std::string& program,
                  const std::optional<int>& version) {
  run.pass(program);
  if (version && *version < kOldestForClient) {
    run.fail(program + " compatible", "PostgreSQL version: " + postgres::version_text(*version) +
                                          ", the built-in client needs 10 or newer");
  } else {
    run.pass(program + " compatible");
  }
}

}  // namespace

void check_postgres(const CheckRun& run) {
  const config::ServerConfig& config = run.server.config();
  if (config.is_passive() || !config.active) return;
  if (!has_postgres(config)) return;
  std::optional<postgres::Connection> connection;
  try {
    connection = run.server.connect(run.deadline.connection_limits());
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    run.fail("PostgreSQL", reason_of(error));
    return check_slot(run, nullptr);
  }
  if (connection->server_version() < postgres::kMinimumVersion) {
    return run.fail("PostgreSQL",
                    fmt::format("unsupported version: PostgreSQL server is too old ({} < {})",
                                postgres::version_text(connection->server_version()),
                                postgres::version_text(postgres::kMinimumVersion)));
  }
  run.pass("PostgreSQL");
  try {
    check_connected(run, *connection);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    run.fail("PostgreSQL queries", reason_of(error));
  }
}

void check_clients_and_identity(const CheckRun& run) {
  const config::ServerConfig& config = run.server.config();
  std::optional<int> version;
  std::optional<postgres::SystemId> system_id;
  if (has_postgres(config)) {
    if (std::optional<postgres::Connection> connection = try_connect(run)) {
      version = connection->server_version();
      try {
        system_id = postgres::query_system_id(*connection);
      } catch (const postgres::SqlError&) {
        // Without the right to read it, the replication connection tells.
      }
    }
  }
  if (config.active && !config.is_passive() &&
      config.backup_method == config::BackupMethod::postgres) {
    check_client(run, "pg_basebackup", version);
    if (version) run.pass("pg_basebackup supports tablespaces mapping");
  }
  check_configuration(run);
  check_system_id(run, system_id);
  if (config.active && !config.is_passive() && config.streaming_archiver) {
    check_client(run, "pg_receivexlog", version);
  }
}

void check_wal_delivery(const CheckRun& run) {
  const config::ServerConfig& config = run.server.config();
  if (!config.active || config.is_passive()) return;
  if (config.streaming_archiver) {
    if (FileLock::holder(catalogue::receive_wal_lock(run.server.locks()))) {
      run.pass("receive-wal running");
    } else {
      run.fail("receive-wal running", "See the Barman log file for more details");
    }
  }
  if (!config.archiver || !has_postgres(config)) return;
  std::optional<postgres::Connection> connection = try_connect(run);
  if (!connection) return;
  const postgres::ServerSettings settings = postgres::query_settings(*connection);
  if (!settings.archive_mode) return;
  if (*settings.archive_mode == "on" || *settings.archive_mode == "always") {
    run.pass("archive_mode");
  } else {
    run.fail("archive_mode", "please set it to 'on' or 'always'");
  }
  const std::string command = settings.archive_command.value_or("");
  if (command.empty() || command == "(disabled)") {
    return run.fail("archive_command", "please set it accordingly to documentation");
  }
  run.pass("archive_command");
  if (postgres::query_archiver_statistics(*connection).is_archiving) {
    run.pass("continuous archiving");
  } else {
    run.fail("continuous archiving", "the last attempt of archive_command failed");
  }
}

}  // namespace barman::check
