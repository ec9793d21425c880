#include <algorithm>
#include <chrono>
#include <optional>

#include <fmt/format.h>

#include "backup/choose_source.h"
#include "backup/copied_cluster.h"
#include "backup/local_files.h"
#include "base/error.h"
#include "base/hint.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/text.h"
#include "catalogue/locks.h"
#include "check/check_run.h"
#include "facts/receiver.h"
#include "postgres/queries.h"
#include "postgres/version_facts.h"
#include "postgres/versions.h"
#include "replication/system_identity.h"
#include "wal_archive/known_cluster.h"
#include "wal_transfer/slot_care.h"

namespace barman::check {
namespace {

constexpr int kFirstWithoutExclusiveBackup = postgres::kVersion15;
// For so long a running receiver may be without its slot: it has lost its connection, by a restart
// of PostgreSQL say, and is about to have a new one.
constexpr std::chrono::milliseconds kReconnecting{2000};
constexpr int kPauseMs = 50;

std::string reason_of(const Error& error) {
  // One line, whatever libpq's message looks like.
  return with_hint_inside(join(split_blanks(error.describe()), " "), error.hint());
}

// Inactive servers are looked at, too: that is how a new one is tried before it is used. Their
// results do not count (cli/command_check.cc).
bool has_postgres(const config::ServerConfig& config) {
  return !config.is_passive() && config.conninfo.has_value();
}
bool has_streaming(const config::ServerConfig& config) {
  return !config.is_passive() && config.streaming_conninfo.has_value() &&
         (config.backup_method == config::BackupMethod::postgres || config.streaming_archiver);
}

// Whom the items ask: the server, or where its WAL streams from when that is another place.
struct Source {
  SqlSession& sql;
  StreamingIdentity& streaming;
  std::string suffix{};
};
Source server_source(const CheckRun& run) { return {.sql = run.sql, .streaming = run.streaming}; }
Source wal_source(const CheckRun& run) {
  return {.sql = run.wal_sql,
          .streaming = run.wal_streaming,
          .suffix = run.has_wal_source ? " (WAL streaming)" : ""};
}

// Answers one item; a question that fails or takes too long fails this item only.
template <typename Question>
void answer(const CheckRun& run, SqlSession& sql, const std::string& label,
            const Question& question, bool is_critical = true) {
  if (run.deadline.has_passed()) return;  // The last line tells.
  try {
    question(sql.ready());
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    run.fail(label, error, is_critical);
  }
}

void check_streaming(const CheckRun& run, const Source& source) {
  if (!has_streaming(run.server.config()) || run.deadline.has_passed()) return;
  const std::string label = "PostgreSQL streaming" + source.suffix;
  try {
    source.streaming.get();
    run.pass(label);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    run.fail(label, error);
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

void check_wal_level(const CheckRun& run, const Source& source) {
  const std::string label = "wal_level" + source.suffix;
  answer(run, source.sql, label, [&](postgres::Connection& connection) {
    const std::optional<std::string> level = postgres::query_settings(connection).wal_level;
    if (!level) return;
    if (*level == "minimal") {
      run.fail(label, "please set it to a higher level than 'minimal'");
    } else {
      run.pass(label);
    }
  });
}

void check_primary(const CheckRun& run) {
  try {
    postgres::Connection primary = run.server.connect_primary(run.deadline.item_limits());
    if (postgres::is_in_recovery(primary)) {
      run.fail("Primary server is not a standby",
               "primary_conninfo should point to a primary server, not a standby");
    } else {
      run.pass("Primary server is not a standby");
    }
    if (postgres::query_system_id(primary) == postgres::query_system_id(run.sql.ready())) {
      run.pass("Primary and standby have same system ID");
    } else {
      run.fail("Primary and standby have same system ID",
               "primary_conninfo and conninfo should point to primary and standby servers which "
               "share the same "
               "system identifier");
    }
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    run.fail("Primary server is not a standby", error);
  }
}

void check_standby(const CheckRun& run) {
  if (!run.server.config().primary_conninfo) return;
  const std::string label = "PostgreSQL server is standby";
  constexpr bool kIsCritical = false;
  bool is_standby = false;
  answer(
      run, run.sql, label,
      [&](postgres::Connection& connection) {
        is_standby = postgres::is_in_recovery(connection);
        if (is_standby) return run.pass(label);
        run.fail_uncritically(
            label, "conninfo should point to a standby server if primary_conninfo is set");
      },
      kIsCritical);
  if (is_standby && !run.deadline.has_passed()) check_primary(run);
}

const std::string kSlotLabel = "replication slot";

void fail_slot_without_postgres(const CheckRun& run) {
  const config::ServerConfig& config = run.server.config();
  if (!config.slot_name || !config.streaming_archiver) return;
  run.fail(kSlotLabel + wal_source(run).suffix,
           "PostgreSQL cannot be reached to look at the slot. Repair the connection first");
}

std::optional<postgres::ReplicationSlot> find_settled_slot(const CheckRun& run,
                                                           postgres::Connection& connection) {
  using Clock = std::chrono::steady_clock;
  const config::ServerConfig& config = run.server.config();
  const Clock::time_point end = Clock::now() + std::min(kReconnecting, run.deadline.item());
  for (;;) {
    auto slot = postgres::find_replication_slot(connection, *config.slot_name);
    const bool may_change = config.streaming_archiver && slot && !slot->active &&
                            facts::find_receiver(run.server).is_running && Clock::now() < end;
    if (!may_change) return slot;
    if (sleep_unless_interrupted(kPauseMs, run.server.interrupt()))
      run.server.interrupt().throw_if_requested();
  }
}

void check_slot(const CheckRun& run, const std::string& label, postgres::Connection& connection) {
  const config::ServerConfig& config = run.server.config();
  const std::optional<postgres::ReplicationSlot> slot = find_settled_slot(run, connection);
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
  } else if (const auto loss = wal_transfer::describe_slot_loss(*slot)) {
    run.fail(label, *loss + ". " + wal_transfer::slot_loss_next_step(config.name));
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

std::optional<postgres::SystemId> streaming_system_id(const CheckRun& run, const Source& source) {
  if (!has_streaming(run.server.config())) return std::nullopt;
  try {
    return source.streaming.get().system_id;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    return std::nullopt;
  }
}

struct SqlIdentity {
  std::optional<int> version;
  std::optional<postgres::SystemId> system_id;
  // Why a server that was reached does not tell its system ID.
  std::string problem;
};

SqlIdentity ask_identity(const CheckRun& run, const Source& source) {
  SqlIdentity identity;
  if (!has_postgres(run.server.config()) || !source.sql.is_available()) return identity;
  identity.version = source.sql.ready().server_version();
  if (*identity.version < postgres::kMinimumVersion) return identity;
  try {
    identity.system_id = postgres::query_system_id(source.sql.ready());
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    // Without the right to read it, the replication connection tells.
    if (error.kind() != ErrorKind::permission) identity.problem = reason_of(error);
  }
  return identity;
}

void check_system_id(const CheckRun& run, const Source& source, const SqlIdentity& identity) {
  const std::optional<postgres::SystemId>& by_sql = identity.system_id;
  const std::string label = "systemid coherence" + source.suffix;
  if (!identity.problem.empty()) return run.fail(label, identity.problem);
  const std::optional<postgres::SystemId> by_streaming = streaming_system_id(run, source);
  if (by_sql && by_streaming && *by_sql != *by_streaming) {
    return run.fail(
        label,
        "is the streaming DSN targeting the same server of the PostgreSQL connection string?");
  }
  const std::optional<postgres::SystemId> current = by_sql ? by_sql : by_streaming;
  if (!current) return run.pass(label, "no system Id available");
  std::optional<Error> other;
  bool is_stored = false;
  try {
    is_stored = run.server.catalogue().find_identity().has_value();
    other = wal_archive::find_other_cluster(run.server, postgres::format_system_id(*current),
                                            "the connection strings");
  } catch (const Error& error) {
    return run.fail(label, error);
  }
  if (!other) return run.pass(label, is_stored ? "" : "no system Id stored on disk");
  const std::string place =
      is_stored ? "stored in \"" + run.server.config().backup_directory + "/identity.json\""
                : "backups and WAL in \"" + run.server.config().backup_directory +
                      "\" are of another one";
  run.on_result({.label = label,
                 .ok = false,
                 .hint = "the system Id of the connected PostgreSQL server changed, " + place,
                 .next_step = other->hint()});
}

// Row 13.
void check_wal_source(const CheckRun& run) {
  const Source source = wal_source(run);
  const std::string label = "has monitoring privileges" + source.suffix;
  answer(run, source.sql, label, [&](postgres::Connection& connection) {
    if (postgres::query_privileges(connection).monitoring) return run.pass(label);
    run.fail("no access to monitoring functions",
             "privileges for PostgreSQL monitoring functions are required (see documentation)");
  });
  check_streaming(run, source);
  if (run.deadline.has_passed() || !source.sql.is_available()) return;
  check_wal_level(run, source);
  check_system_id(run, source, ask_identity(run, source));
}

void check_connected(const CheckRun& run) {
  const Source source = server_source(run);
  answer(run, source.sql, "superuser or standard user with backup privileges",
         [&](postgres::Connection& connection) { check_privileges(run, connection); });
  check_streaming(run, source);
  check_wal_level(run, source);
  check_standby(run);
  if (run.has_wal_source) check_wal_source(run);
  if (!run.server.config().slot_name) return;
  const std::string label = kSlotLabel + wal_source(run).suffix;
  answer(run, run.sender_sql, label,
         [&](postgres::Connection& connection) { check_slot(run, label, connection); });
}

void check_client(const CheckRun& run, const std::string& program,
                  const std::optional<int>& version, const std::string& next_step) {
  run.pass(program);
  if (version && *version < postgres::kOldestStreamingVersion) {
    run.fail(program + " compatible", "PostgreSQL version: " + postgres::version_text(*version) +
                                          ", the built-in client needs 10 or newer. " + next_step);
  } else {
    run.pass(program + " compatible");
  }
}

void check_receiver(const CheckRun& run) {
  const std::string label = "receive-wal running";
  const facts::ReceiverProcess process = facts::find_receiver(run.server);
  if (!process.is_running) {
    return run.fail(
        label,
        fmt::format("{}{}. {}", log::has_file() ? "See the Barman log file for more details: " : "",
                    process.problem, process.next_step));
  }
  // Without PostgreSQL the lock is all there is to see; its own item tells that it is down.
  if (!run.server.config().effective_wal_conninfo() || !run.sender_sql.is_available())
    return run.pass(label);
  try {
    const std::string problem = facts::find_stream_problem(
        run.server.with_wal_connections(), run.sender_sql.ready(), process, run.deadline.item());
    if (problem.empty()) return run.pass(label);
    run.fail(label, problem);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    if (error.kind() == ErrorKind::permission) return run.pass(label);
    run.fail(label, "cannot see whether it streams: " + reason_of(error));
  }
}

void check_archiving(const CheckRun& run) {
  std::string command;
  bool is_readable = false;
  answer(run, run.sql, "archive_mode", [&](postgres::Connection& connection) {
    const postgres::ServerSettings settings = postgres::query_settings(connection);
    if (!settings.archive_mode) return;
    is_readable = true;
    command = settings.archive_command.value_or("");
    if (*settings.archive_mode == "on" || *settings.archive_mode == "always") {
      run.pass("archive_mode");
    } else {
      run.fail("archive_mode", "please set it to 'on' or 'always'");
    }
  });
  if (!is_readable) return;
  if (command.empty() || command == "(disabled)") {
    return run.fail("archive_command", "please set it accordingly to documentation");
  }
  run.pass("archive_command");
  const std::string label = "continuous archiving";
  answer(run, run.sql, label, [&](postgres::Connection& connection) {
    if (postgres::query_archiver_statistics(connection).is_archiving) return run.pass(label);
    run.fail(label, "the last attempt of archive_command failed, see the log of PostgreSQL");
  });
}

}  // namespace

void check_postgres(const CheckRun& run) {
  const config::ServerConfig& config = run.server.config();
  if (config.is_passive()) return;
  if (!has_postgres(config)) {
    return run.fail("PostgreSQL",
                    fmt::format("Missing 'conninfo' parameter for server '{}'", run.server.name()));
  }
  int version = 0;
  try {
    version = run.sql.ready().server_version();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    run.fail("PostgreSQL", error);
    return fail_slot_without_postgres(run);
  }
  if (version < postgres::kMinimumVersion) {
    return run.fail("PostgreSQL",
                    fmt::format("unsupported version: PostgreSQL server is too old ({} < {})",
                                postgres::version_text(version),
                                postgres::version_text(postgres::kMinimumVersion)));
  }
  run.pass("PostgreSQL");
  check_connected(run);
}

// Whatever `backup` refuses, whoever watches the server must see. What is wrong with encryption has
// an item of its own.
void check_backup_method(const CheckRun& run) {
  const config::ServerConfig& config = run.server.config();
  if (config.is_passive()) return;
  try {
    backup::require_source(config);
  } catch (const Error& error) {
    run.fail("backup method", error);
  }
}

// The files of PostgreSQL, where they are copied from.
void check_local_data_directory(const CheckRun& run) {
  const config::ServerConfig& config = run.server.config();
  if (config.is_passive() || config.backup_method != config::BackupMethod::local_rsync) return;
  const std::string label = "local PGDATA";
  try {
    backup::require_local_data_directory(run.server, run.sql.ready());
    run.pass(label, "Access to local PGDATA");
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    run.fail(label, error);
  }
}

// Row 25d, only when it fails: the process of an exclusive backup was killed, and PostgreSQL does
// not know. The next backup ends it.
void check_abandoned_backup(const CheckRun& run, postgres::Connection& connection) {
  const auto id = backup::find_exclusive_backup(run.server, connection);
  if (!id) return;
  for (const catalogue::ServerProcess& process : catalogue::list_processes(run.server.locks())) {
    if (process.task == "backup") return;
  }
  run.fail_uncritically(
      "exclusive backup",
      fmt::format("PostgreSQL is still in the backup mode of backup {}, whose process is gone: "
                  "after a crash it may not start before its file backup_label is removed. The "
                  "next backup ends that, or SQL: SELECT pg_stop_backup(true, false)",
                  id->value));
}

// Row 25c.
void check_exclusive_backup(const CheckRun& run) {
  const config::ServerConfig& config = run.server.config();
  if (config.is_passive() || !config.backup_options.exclusive_backup) return;
  const std::string label = "exclusive backup supported";
  try {
    postgres::Connection& connection = run.sql.ready();
    if (postgres::is_in_recovery(connection)) {
      run.fail("not in recovery", "cannot perform exclusive backup on a standby");
    } else {
      run.pass("not in recovery");
    }
    if (connection.server_version() < kFirstWithoutExclusiveBackup) {
      run.pass(label);
      return check_abandoned_backup(run, connection);
    }
    run.fail(label, "exclusive backups not supported on PostgreSQL " +
                        postgres::major_version_text(connection.server_version()));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    run.fail(label, "unable to determine postgres version");
  }
}

void check_clients_and_identity(const CheckRun& run) {
  const config::ServerConfig& config = run.server.config();
  check_backup_method(run);
  check_local_data_directory(run);
  check_exclusive_backup(run);
  const Source source = server_source(run);
  const SqlIdentity identity = ask_identity(run, source);
  if (!config.is_passive() && config.backup_method == config::BackupMethod::postgres) {
    check_client(run, "pg_basebackup", identity.version, "Set backup_method = rsync");
    if (identity.version) run.pass("pg_basebackup supports tablespaces mapping");
  }
  check_configuration(run, identity.version);
  check_system_id(run, source, identity);
  if (!config.is_passive() && config.streaming_archiver) {
    check_client(run, "pg_receivexlog", identity.version,
                 "Set archiver = on and streaming_archiver = off");
  }
}

void check_wal_delivery(const CheckRun& run) {
  const config::ServerConfig& config = run.server.config();
  if (config.is_passive()) return;
  if (config.streaming_archiver) check_receiver(run);
  if (!config.archiver || !has_postgres(config) || run.deadline.has_passed()) return;
  if (run.sql.is_available()) check_archiving(run);
}

}  // namespace barman::check
