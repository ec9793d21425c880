#include "postgres/queries.h"

#include <fmt/format.h>

#include <charconv>
#include <map>

#include "base/text.h"
#include "postgres/libpq_handle.h"
#include "postgres/low_level_backup.h"
#include "postgres/version_facts.h"
#include "postgres/versions.h"
#include "wal/wal_file_name.h"

namespace barman::postgres {
namespace {

[[noreturn]] void throw_unexpected(const std::string& text) {
  throw Error(ErrorKind::corrupt, fmt::format("unexpected answer of PostgreSQL: \"{}\"", text),
              "Check that the connection string leads to a PostgreSQL server.");
}

template <typename Value>
Value require(const std::optional<Value>& value, const std::string& text) {
  if (!value) throw_unexpected(text);
  return *value;
}

// One row of a result, field by field.
class Row {
 public:
  Row(const PGresult* result, int row) : result_(result), row_(row) {}

  std::optional<std::string> find_text(int column) const {
    return postgres::find_text(result_, row_, column);
  }
  std::string text(int column) const { return get_text(result_, row_, column); }
  bool boolean(int column) const { return text(column) == "t"; }

  std::optional<std::int64_t> find_integer(int column) const {
    return find_as<std::int64_t>(column, [](const std::string& t) { return parse_integer(t); });
  }
  std::int64_t integer(int column) const {
    const std::string value = text(column);
    return require(parse_integer(value), value);
  }
  std::optional<wal::Lsn> find_lsn(int column) const {
    return find_as<wal::Lsn>(column, [](const std::string& t) { return wal::parse_lsn(t); });
  }
  wal::Lsn lsn(int column) const {
    const std::string value = text(column);
    return require(wal::parse_lsn(value), value);
  }
  std::optional<Timestamp> find_time(int column) const {
    return find_as<Timestamp>(column, [](const std::string& t) -> std::optional<Timestamp> {
      const std::optional<ParsedTimestamp> parsed = parse_timestamp(t);
      if (!parsed) return std::nullopt;
      return parsed->time;
    });
  }

 private:
  template <typename Value, typename Parse>
  std::optional<Value> find_as(int column, const Parse& parse) const {
    const std::optional<std::string> value = find_text(column);
    if (!value) return std::nullopt;
    return require<Value>(parse(*value), *value);
  }

  const PGresult* result_;
  int row_;
};

std::string one_text(Connection& connection, const std::string& statement) {
  const ResultHandle result = execute(connection, statement);
  return get_text(result.get(), 0, 0);
}

bool one_boolean(Connection& connection, const std::string& statement) {
  return one_text(connection, statement) == "t";
}

// The name of the file that holds the insert position.
std::string insert_wal_name(Connection& connection, const VersionFacts& facts) {
  return one_text(connection,
                  fmt::format("SELECT {}({}())", facts.walfile_name, facts.current_wal_insert_lsn));
}

std::string backup_privileges_condition(int version) {
  const std::string switch_and_restore_point =
      "has_function_privilege(CURRENT_USER, 'pg_switch_wal()', 'EXECUTE')"
      " AND has_function_privilege(CURRENT_USER, 'pg_create_restore_point(text)', 'EXECUTE')";
  if (version >= kVersion15) {
    return "has_function_privilege(CURRENT_USER, 'pg_backup_start(text,bool)', 'EXECUTE')"
           " AND has_function_privilege(CURRENT_USER, 'pg_backup_stop(bool)', 'EXECUTE')"
           " AND " +
           switch_and_restore_point;
  }
  // The form of pg_stop_backup without arguments is the one of exclusive backups.
  return "has_function_privilege(CURRENT_USER, 'pg_start_backup(text,bool,bool)', 'EXECUTE')"
         " AND (has_function_privilege(CURRENT_USER, 'pg_stop_backup()', 'EXECUTE')"
         " OR has_function_privilege(CURRENT_USER, 'pg_stop_backup(bool,bool)', 'EXECUTE'))"
         " AND " +
         switch_and_restore_point;
}

constexpr std::string_view kMonitoringCondition =
    "(pg_has_role(CURRENT_USER, 'pg_monitor', 'USAGE')"
    " OR (pg_has_role(CURRENT_USER, 'pg_read_all_settings', 'USAGE')"
    " AND pg_has_role(CURRENT_USER, 'pg_read_all_stats', 'USAGE')))";

// name -> (as SHOW prints it, raw).
struct Setting {
  std::string shown;
  std::string raw;
};
using Settings = std::map<std::string, Setting, std::less<>>;

// Settings that the user may not see are left out by pg_settings itself.
Settings load_settings(Connection& connection) {
  const ResultHandle result = execute(
      connection,
      fmt::format(
          "SELECT name, current_setting(name), setting FROM pg_settings WHERE name IN ("
          "'data_directory', 'config_file', 'hba_file', 'ident_file', 'wal_level', 'hot_standby',"
          "'max_wal_senders', 'max_replication_slots', 'data_checksums', 'wal_compression', '{}',"
          "'archive_mode', 'archive_command', 'synchronous_standby_names', 'summarize_wal',"
          "'archive_timeout', 'checkpoint_timeout', 'wal_segment_size', 'wal_block_size', "
          "'block_size')",
          facts_for(connection.server_version()).wal_keep_setting));
  Settings settings;
  for (int i = 0; i < PQntuples(result.get()); ++i) {
    const Row row(result.get(), i);
    settings.emplace(row.text(0), Setting{row.text(1), row.find_text(2).value_or("")});
  }
  return settings;
}

std::optional<std::string> shown(const Settings& settings, std::string_view name) {
  const auto found = settings.find(name);
  if (found == settings.end()) return std::nullopt;
  return found->second.shown;
}

std::optional<std::int64_t> raw_integer(const Settings& settings, std::string_view name) {
  const auto found = settings.find(name);
  if (found == settings.end()) return std::nullopt;
  return require(parse_integer(found->second.raw), found->second.raw);
}

wal::SegmentSize segment_size_of(const Settings& settings, int version) {
  std::int64_t size_bytes = raw_integer(settings, "wal_segment_size").value_or(0);
  if (version < kVersion11) size_bytes *= raw_integer(settings, "wal_block_size").value_or(0);
  if (size_bytes < 0 || !wal::is_valid_segment_size(static_cast<std::uint64_t>(size_bytes)))
    throw_unexpected(fmt::format("wal_segment_size = {}", size_bytes));
  return {static_cast<std::uint64_t>(size_bytes)};
}

std::string replication_clients_statement(std::string_view suffix, ReplicationClientKind kind) {
  std::string statement = fmt::format(
      "SELECT r.pid, r.usename, r.application_name, r.client_addr, r.client_hostname,"
      " r.client_port, r.backend_start, r.backend_xmin, r.state,"
      " r.sent_{0}, r.write_{0}, r.flush_{0}, r.replay_{0},"
      " r.sync_priority, r.sync_state, s.slot_name"
      " FROM pg_stat_replication r LEFT JOIN pg_replication_slots s ON r.pid = s.active_pid"
      " WHERE (s.slot_type IS NULL OR s.slot_type = 'physical')",
      suffix);
  if (kind == ReplicationClientKind::hot_standby)
    statement += fmt::format(" AND r.replay_{} IS NOT NULL", suffix);
  if (kind == ReplicationClientKind::wal_streamer)
    statement += fmt::format(" AND r.replay_{} IS NULL", suffix);
  return statement + " ORDER BY r.sync_state DESC, r.sync_priority";
}

ReplicationClient read_client(const Row& row) {
  ReplicationClient client;
  client.pid = row.integer(0);
  client.user = row.find_text(1);
  client.application_name = row.find_text(2);
  client.client_address = row.find_text(3);
  client.client_hostname = row.find_text(4);
  client.client_port = row.find_integer(5);
  client.backend_start = row.find_time(6);
  client.backend_xmin = row.find_text(7);
  client.state = row.find_text(8);
  client.sent_lsn = row.find_lsn(9);
  client.write_lsn = row.find_lsn(10);
  client.flush_lsn = row.find_lsn(11);
  client.replay_lsn = row.find_lsn(12);
  client.sync_priority = row.find_integer(13);
  client.sync_state = row.find_text(14);
  client.slot_name = row.find_text(15);
  return client;
}

wal::TimelineId timeline_of_name(const std::string& wal_name) {
  const auto name = wal::parse_wal_file_name(wal_name);
  if (!name) throw_unexpected(wal_name);
  return name->timeline;
}

}  // namespace

void probe(Connection& connection) {
  execute(connection, connection.is_replication() ? "IDENTIFY_SYSTEM" : "SELECT 1");
}

std::string query_version_text(Connection& connection) {
  const std::string answer = one_text(connection, "SELECT version()");
  const std::vector<std::string> words = split_blanks(answer);
  if (words.size() < 2) throw_unexpected(answer);
  const std::string& version = words[1];
  if (words[0] == "EnterpriseDB") return version.substr(0, version.rfind('.'));
  return version;
}

bool is_in_recovery(Connection& connection) {
  return one_boolean(connection, "SELECT pg_is_in_recovery()");
}

SystemId query_system_id(Connection& connection) {
  const std::string text =
      one_text(connection, "SELECT system_identifier::text FROM pg_control_system()");
  // The SQL type is signed; the number is not.
  const std::optional<std::int64_t> number = parse_integer(text);
  return {static_cast<std::uint64_t>(require(number, text))};
}

std::optional<std::string> find_backend_activity(Connection& connection, int pid) {
  const ResultHandle result =
      execute(connection, fmt::format("SELECT coalesce(wait_event, state, '') FROM pg_stat_activity"
                                      " WHERE pid = {}",
                                      pid));
  return find_text(result.get(), 0, 0);
}

std::optional<std::string> find_backup_phase(Connection& connection, int pid) {
  if (connection.server_version() < kVersion13) return std::nullopt;
  const ResultHandle result = execute(
      connection, fmt::format("SELECT phase FROM pg_stat_progress_basebackup WHERE pid = {}", pid));
  if (PQntuples(result.get()) == 0) return std::nullopt;
  return find_text(result.get(), 0, 0);
}

double query_checkpoint_seconds(Connection& connection) {
  // The first one counts seconds.
  const std::string text = one_text(
      connection,
      "SELECT round((SELECT setting::numeric FROM pg_settings WHERE name = 'checkpoint_timeout')"
      " * current_setting('checkpoint_completion_target')::numeric)::int8");
  return static_cast<double>(require(parse_integer(text), text));
}

Privileges query_privileges(Connection& connection) {
  const int version = connection.server_version();
  const std::string superuser = "SELECT usesuper FROM pg_user WHERE usename = CURRENT_USER";
  Privileges privileges;
  if (one_boolean(connection, superuser)) return {true, true, true, true};
  if (version < kVersion10) return privileges;
  privileges.monitoring = one_boolean(connection, fmt::format("SELECT {}", kMonitoringCondition));
  privileges.backup = privileges.monitoring &&
                      one_boolean(connection, "SELECT " + backup_privileges_condition(version));
  // The role pg_checkpoint came with 15.
  privileges.checkpoint =
      version >= kVersion15 &&
      one_boolean(connection, "SELECT pg_has_role(CURRENT_USER, 'pg_checkpoint', 'USAGE')");
  return privileges;
}

WalPosition query_wal_position(Connection& connection) {
  const int version = connection.server_version();
  const VersionFacts facts = facts_for(version);
  WalPosition position;
  if (is_in_recovery(connection)) {
    const ResultHandle result = execute(
        connection, fmt::format("SELECT {}(), CURRENT_TIMESTAMP", facts.last_wal_replay_lsn));
    const Row row(result.get(), 0);
    position.lsn = row.lsn(0);
    position.time = require(row.find_time(1), "CURRENT_TIMESTAMP");
    return position;
  }
  const ResultHandle result = execute(
      connection, fmt::format("SELECT lsn, file.*, CURRENT_TIMESTAMP,"
                              " (SELECT setting FROM pg_settings WHERE name = 'wal_segment_size')"
                              " FROM {}() AS lsn, {}(lsn) AS file",
                              facts.current_wal_lsn, facts.walfile_name_offset));
  const Row row(result.get(), 0);
  position.lsn = row.lsn(0);
  position.time = require(row.find_time(3), "CURRENT_TIMESTAMP");
  position.offset = static_cast<std::uint64_t>(row.integer(2));
  // Before 11 the setting counts blocks, but the rule for boundaries does not apply there.
  const wal::SegmentSize segment_size{static_cast<std::uint64_t>(row.integer(4))};
  position.wal_name = normalise_boundary(version, row.text(1), position.lsn, segment_size);
  return position;
}

wal::TimelineId query_current_timeline(Connection& connection) {
  const VersionFacts facts = facts_for(connection.server_version());
  // On a primary the control file names the timeline of the last checkpoint, which may be the old
  // one just after a promotion.
  if (!is_in_recovery(connection)) return timeline_of_name(insert_wal_name(connection, facts));
  const ResultHandle result =
      execute(connection,
              "SELECT COALESCE(NULLIF(r.min_recovery_end_timeline, 0), c.timeline_id)"
              " FROM pg_control_checkpoint() AS c, pg_control_recovery() AS r");
  return {static_cast<std::uint32_t>(Row(result.get(), 0).integer(0))};
}

ServerSettings query_settings(Connection& connection) {
  const int version = connection.server_version();
  const Settings settings = load_settings(connection);
  ServerSettings known;
  known.data_directory = shown(settings, "data_directory");
  known.config_file = shown(settings, "config_file");
  known.hba_file = shown(settings, "hba_file");
  known.ident_file = shown(settings, "ident_file");
  known.wal_level = shown(settings, "wal_level");
  known.hot_standby = shown(settings, "hot_standby");
  known.max_wal_senders = shown(settings, "max_wal_senders");
  known.max_replication_slots = shown(settings, "max_replication_slots");
  known.data_checksums = shown(settings, "data_checksums");
  known.wal_compression = shown(settings, "wal_compression");
  known.wal_keep = shown(settings, facts_for(version).wal_keep_setting);
  known.archive_mode = shown(settings, "archive_mode");
  known.archive_command = shown(settings, "archive_command");
  known.synchronous_standby_names = shown(settings, "synchronous_standby_names");
  known.summarize_wal = shown(settings, "summarize_wal");
  known.archive_timeout = raw_integer(settings, "archive_timeout").value_or(0);
  known.checkpoint_timeout = raw_integer(settings, "checkpoint_timeout");
  known.segment_size = segment_size_of(settings, version);
  const ResultHandle files = execute(
      connection,
      "SELECT DISTINCT sourcefile FROM pg_settings WHERE sourcefile IS NOT NULL AND sourcefile NOT"
      " IN (SELECT setting FROM pg_settings WHERE name = 'config_file') ORDER BY sourcefile");
  for (int i = 0; i < PQntuples(files.get()); ++i)
    known.included_files.push_back(get_text(files.get(), i, 0));
  return known;
}

std::vector<TablespaceRow> list_tablespaces(Connection& connection) {
  const ResultHandle result =
      execute(connection,
              "SELECT spcname, oid::int8, location FROM (SELECT spcname, oid,"
              " pg_tablespace_location(oid) AS location FROM pg_tablespace) t"
              " WHERE location <> '' ORDER BY oid");
  std::vector<TablespaceRow> tablespaces;
  for (int i = 0; i < PQntuples(result.get()); ++i) {
    const Row row(result.get(), i);
    tablespaces.push_back({row.text(0), static_cast<std::uint32_t>(row.integer(1)), row.text(2)});
  }
  return tablespaces;
}

std::uint64_t query_cluster_size(Connection& connection) {
  const std::string text =
      one_text(connection, "SELECT sum(pg_tablespace_size(oid)) FROM pg_tablespace");
  return static_cast<std::uint64_t>(require(parse_integer(text), text));
}

ArchiverStatistics query_archiver_statistics(Connection& connection) {
  const ResultHandle result = execute(
      connection,
      "SELECT archived_count, last_archived_wal, last_archived_time, failed_count,"
      " last_failed_wal, last_failed_time, stats_reset,"
      " current_setting('archive_mode') IN ('on', 'always') AND COALESCE("
      "  last_failed_wal IS NULL"
      "  OR (last_failed_wal LIKE '%.history'"
      "      AND substring(last_failed_wal from 1 for 8)"
      "          <= substring(last_archived_wal from 1 for 8))"
      "  OR last_failed_time <= last_archived_time, false),"
      " archived_count / NULLIF(extract(epoch FROM CURRENT_TIMESTAMP - stats_reset), 0)::float8"
      " FROM pg_stat_archiver");
  const Row row(result.get(), 0);
  ArchiverStatistics statistics;
  statistics.archived_count = row.find_integer(0).value_or(0);
  statistics.last_archived_wal = row.find_text(1);
  statistics.last_archived_time = row.find_time(2);
  statistics.failed_count = row.find_integer(3).value_or(0);
  statistics.last_failed_wal = row.find_text(4);
  statistics.last_failed_time = row.find_time(5);
  statistics.stats_reset = row.find_time(6);
  statistics.is_archiving = row.boolean(7);
  if (const std::optional<std::string> rate = row.find_text(8)) {
    double value = 0;
    const char* end = rate->data() + rate->size();
    if (std::from_chars(rate->data(), end, value).ptr != end) throw_unexpected(*rate);
    statistics.current_archived_wals_per_second = value;
  }
  return statistics;
}

LowLevelStart start_low_level_backup(Connection& connection, const std::string& label,
                                     StartCheckpoint checkpoint, LowLevelForm form) {
  const int version = connection.server_version();
  execute(connection, "SET statement_timeout = 0");
  if (version >= kVersion14) execute(connection, "SET idle_session_timeout = 0");
  const std::string function = version >= kVersion15 ? "pg_backup_start($1, $2)"
                                                     : fmt::format("pg_start_backup($1, $2, {})",
                                                                   form == LowLevelForm::exclusive);
  const ResultHandle result =
      execute(connection, fmt::format("SELECT {}, now()", function),
              {label, checkpoint == StartCheckpoint::fast ? "true" : "false"});
  const Row row(result.get(), 0);
  return {.lsn = row.lsn(0), .time = require(row.find_time(1), "now()")};
}

LowLevelStop stop_low_level_backup(Connection& connection, ArchiveWaiter waiter,
                                   LowLevelForm form) {
  if (form == LowLevelForm::exclusive) {
    execute(connection, "SET statement_timeout = 0");
    const ResultHandle result =
        execute(connection, "SELECT lsn, clock_timestamp() FROM pg_stop_backup() AS lsn");
    const Row row(result.get(), 0);
    return {.lsn = row.lsn(0),
            .time = require(row.find_time(1), "clock_timestamp()"),
            .backup_label = {}};
  }
  const bool waits = waiter == ArchiveWaiter::server;
  const std::string function = connection.server_version() >= kVersion15
                                   ? fmt::format("pg_backup_stop({})", waits)
                                   : fmt::format("pg_stop_backup(false, {})", waits);
  const ResultHandle result = execute(
      connection,
      fmt::format("SELECT lsn, labelfile, clock_timestamp() FROM {} AS stop(lsn, labelfile, map)",
                  function));
  const Row row(result.get(), 0);
  return {.lsn = row.lsn(0),
          .time = require(row.find_time(2), "clock_timestamp()"),
          .backup_label = row.text(1)};
}

std::string query_exclusive_label(Connection& connection) {
  const ResultHandle result =
      execute(connection,
              "SELECT coalesce(substring(pg_read_file('backup_label', 0, 65536, true) FROM"
              " 'LABEL: ([^\n]*)'), '') WHERE pg_is_in_backup()");
  return PQntuples(result.get()) == 0 ? "" : Row(result.get(), 0).text(0);
}

void abort_exclusive_backup(Connection& connection) {
  execute(connection, "SELECT pg_stop_backup(true, false)");
}

void require_held(Connection& connection, std::chrono::milliseconds patience) {
  PGconn* const handle = handle_of(connection);
  if (wait_for_data(handle, static_cast<int>(patience.count()), Interrupt()) != WaitResult::ready) {
    return;
  }
  // Its last words come before the end does.
  if (PQconsumeInput(handle) == 0) throw_result_error(connection, nullptr);
}

Postmaster query_postmaster(Connection& connection) {
  const ResultHandle result =
      execute(connection,
              "SELECT floor(extract(epoch FROM pg_postmaster_start_time()))::int8,"
              " current_setting('port')::int8, current_setting('block_size')::int8");
  const Row row(result.get(), 0);
  return {.started_at = row.integer(0), .port = row.integer(1), .page_size = row.integer(2)};
}

wal::Lsn create_restore_point(Connection& connection, const std::string& name) {
  const ResultHandle result = execute(connection, "SELECT pg_create_restore_point($1)", {name});
  return Row(result.get(), 0).lsn(0);
}

WalSwitch switch_wal(Connection& connection, wal::SegmentSize segment_size) {
  const VersionFacts facts = facts_for(connection.server_version());
  WalSwitch done;
  done.before = insert_wal_name(connection, facts);
  const ResultHandle result = execute(connection, fmt::format("SELECT {}()", facts.switch_wal));
  const wal::Lsn end = Row(result.get(), 0).lsn(0);
  done.after = insert_wal_name(connection, facts);
  if (done.before == done.after || end.value == 0) return done;
  // The answer is the end of the closed segment, or the beginning of the next one when somebody
  // else switched at the same moment; the byte before lies in the closed segment in both cases.
  const wal::Segment closed =
      wal::segment_of(timeline_of_name(done.before), {end.value - 1}, segment_size);
  done.closed = wal::segment_name(closed, segment_size);
  return done;
}

void request_checkpoint(Connection& connection) { execute(connection, "CHECKPOINT"); }

ReplicationStatus query_replication_status(Connection& connection, ReplicationClientKind kind) {
  const VersionFacts facts = facts_for(connection.server_version());
  ReplicationStatus status;
  status.in_recovery = is_in_recovery(connection);
  const ResultHandle position =
      execute(connection, fmt::format("SELECT {}()", status.in_recovery ? facts.last_wal_receive_lsn
                                                                        : facts.current_wal_lsn));
  status.current_lsn = Row(position.get(), 0).find_lsn(0);
  const ResultHandle clients =
      execute(connection, replication_clients_statement(facts.position_suffix, kind));
  for (int i = 0; i < PQntuples(clients.get()); ++i)
    status.clients.push_back(read_client(Row(clients.get(), i)));
  return status;
}

std::optional<std::string> find_slot_loss(const ReplicationSlot& slot) {
  if (slot.invalidation_reason) return "invalidated: " + *slot.invalidation_reason;
  if (slot.wal_status == "lost") return "wal_status = lost";
  // What PostgreSQL 16 shows of an invalidated slot that is in use: one that really lags behind the
  // WAL that is kept has nothing left that may be written.
  const bool has_room = slot.safe_wal_size_bytes && *slot.safe_wal_size_bytes > 0;
  if (slot.wal_status == "unreserved" && slot.active && has_room) {
    return "wal_status = unreserved, with room left";
  }
  return std::nullopt;
}

std::optional<ReplicationSlot> find_replication_slot(Connection& connection,
                                                     const std::string& name) {
  const int version = connection.server_version();
  const ResultHandle result =
      execute(connection,
              fmt::format("SELECT slot_name, active, restart_lsn, {}, {} FROM pg_replication_slots"
                          " WHERE slot_type = 'physical' AND slot_name = $1",
                          version >= kVersion13 ? "wal_status, safe_wal_size" : "NULL, NULL",
                          version >= kVersion17 ? "invalidation_reason" : "NULL"),
              {name});
  if (PQntuples(result.get()) == 0) return std::nullopt;
  const Row row(result.get(), 0);
  return ReplicationSlot{.name = row.text(0),
                         .active = row.boolean(1),
                         .restart_lsn = row.find_lsn(2),
                         .wal_status = row.find_text(3),
                         .safe_wal_size_bytes = row.find_integer(4),
                         .invalidation_reason = row.find_text(5)};
}

std::map<std::uint32_t, std::string> query_database_names(Connection& connection) {
  const ResultHandle result = execute(connection, "SELECT oid, datname FROM pg_database");
  std::map<std::uint32_t, std::string> names;
  for (int i = 0; i < PQntuples(result.get()); ++i) {
    const Row row(result.get(), i);
    names[static_cast<std::uint32_t>(row.integer(0))] = row.text(1);
  }
  return names;
}

std::map<std::uint32_t, RelationName> query_relation_names(Connection& connection) {
  const ResultHandle result = execute(
      connection,
      "SELECT c.relfilenode, n.nspname || '.' || c.relname, c.relkind"
      " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relfilenode <> 0");
  std::map<std::uint32_t, RelationName> names;
  for (int i = 0; i < PQntuples(result.get()); ++i) {
    const Row row(result.get(), i);
    const std::string kind = row.text(2);
    names[static_cast<std::uint32_t>(row.integer(0))] = {.name = row.text(1),
                                                         .kind = kind.empty() ? ' ' : kind.front()};
  }
  return names;
}

}  // namespace barman::postgres
