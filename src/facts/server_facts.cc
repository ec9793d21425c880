#include "facts/server_facts.h"

#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "facts/deadline.h"
#include "postgres/conninfo.h"
#include "postgres/synchronous_standbys.h"
#include "postgres/version_facts.h"
#include "wal_transfer/receiver_name.h"

namespace barman::facts {
namespace {

using postgres::Connection;

constexpr std::chrono::seconds kConnectTimeout{10};
// For all questions of one session together.
constexpr std::chrono::seconds kQuestionsTimeout{30};

// The newest server that the built-in replication client was written for.
constexpr std::int64_t kNewestForClient = 19;

bool streams(const config::ServerConfig& config) {
  return config.streaming_conninfo.has_value() &&
         (config.backup_method == config::BackupMethod::postgres || config.streaming_archiver);
}

std::string reason_of(const Error& error) { return std::string(strip(error.describe())); }

// The answer, or nothing when the server refuses it or is too slow.
template <typename Ask>
auto ask(Connection& connection, const Deadline& deadline, const Ask& question)
    -> std::optional<decltype(question(connection))> {
  if (deadline.has_passed()) return std::nullopt;
  connection.set_statement_timeout(deadline.left());
  try {
    return question(connection);
  } catch (const Error& error) {
    // One missing privilege must not hide the other facts.
    if (error.kind() == ErrorKind::interrupted) throw;
    log::debug(log::kServerComponent, "a question to PostgreSQL has no answer: {}",
               error.describe());
    return std::nullopt;
  }
}

template <typename Open>
std::optional<Connection> try_open(std::optional<std::string>& error_text, const Open& open) {
  try {
    return open(postgres::ConnectionLimits{.connect_timeout = kConnectTimeout});
  } catch (const Error& error) {
    // Being out of reach is one of the facts.
    if (error.kind() == ErrorKind::interrupted) throw;
    log::warning(log::kServerComponent, "{}", reason_of(error));
    if (!error_text) error_text = reason_of(error);
    return std::nullopt;
  }
}

// Slots and WAL senders are where WAL streams from. `connection` is conninfo's.
void gather_from_sender(const server::Server& server, Connection& connection,
                        const Deadline& deadline, ServerFacts& facts) {
  const config::ServerConfig& config = server.config();
  const bool is_elsewhere =
      config.conninfo && config.streaming_conninfo &&
      !postgres::have_same_place(*config.conninfo, *config.streaming_conninfo);
  std::optional<Connection> opened;
  if (is_elsewhere && (config.slot_name || config.streaming_archiver)) {
    opened = try_open(facts.connection_error,
                      [&](const auto& limits) { return server.connect_beside_streaming(limits); });
  }
  Connection& sender = opened ? *opened : connection;
  if (config.slot_name) {
    facts.slot = ask(sender, deadline, [&](Connection& session) {
                   return postgres::find_replication_slot(session, *config.slot_name);
                 }).value_or(std::nullopt);
  }
  if (config.streaming_archiver && server.wal_connections_text().empty()) {
    facts.stream =
        ask(sender, deadline, [&](Connection& session) { return look_at_stream(server, session); });
  }
}

void gather_by_sql(const server::Server& server, ServerFacts& facts) {
  std::optional<Connection> opened =
      try_open(facts.connection_error, [&](const auto& limits) { return server.connect(limits); });
  if (!opened) return;
  Connection& connection = *opened;
  const Deadline deadline(kQuestionsTimeout);
  facts.version = connection.server_version();
  facts.version_text = ask(connection, deadline, postgres::query_version_text);
  if (*facts.version < postgres::kMinimumVersion) return;
  facts.is_in_recovery = ask(connection, deadline, postgres::is_in_recovery);
  facts.privileges = ask(connection, deadline, postgres::query_privileges);
  facts.wal_position = ask(connection, deadline, postgres::query_wal_position);
  facts.settings = ask(connection, deadline, postgres::query_settings);
  facts.system_id = ask(connection, deadline, postgres::query_system_id);
  gather_from_sender(server, connection, deadline, facts);
  const config::ServerConfig& config = server.config();
  if (config.archiver) {
    facts.archiver = ask(connection, deadline, postgres::query_archiver_statistics);
  }
  // The last one: it reads the size of every file.
  facts.size_bytes = ask(connection, deadline, postgres::query_cluster_size);
}

void gather_by_streaming(const server::Server& server, ServerFacts& facts) {
  std::optional<Connection> opened = try_open(facts.connection_error, [&](const auto& limits) {
    return server.connect_streaming("barman", limits);
  });
  if (!opened) return;
  const Deadline deadline(kConnectTimeout);
  facts.streaming_version = opened->server_version();
  facts.streaming = ask(*opened, deadline, replication::identify_system);
}

using config::OptionValue;

// Values as show-servers has them: a missing one is null.
OptionValue value_of(const std::optional<std::string>& text) {
  return text ? OptionValue{*text} : OptionValue{nullptr};
}
OptionValue value_of(const std::optional<bool>& flag) {
  return flag ? OptionValue{*flag} : OptionValue{nullptr};
}
OptionValue value_of(const std::optional<std::int64_t>& number) {
  return number ? OptionValue{*number} : OptionValue{nullptr};
}
OptionValue value_of(const std::optional<Timestamp>& time) {
  return time ? OptionValue{format_iso(*time)} : OptionValue{nullptr};
}
OptionValue value_of(const std::vector<std::string>& texts) {
  OptionValue::List list;
  for (const std::string& text : texts) list.push_back({text});
  return {std::move(list)};
}

class LiveValues {
 public:
  void add(std::string_view key, OptionValue value) {
    values_.emplace_back(std::string(key), std::move(value));
  }
  template <typename T>
  void add(std::string_view key, const std::optional<T>& value) {
    add(key, value_of(value));
  }
  config::ShownOptions take() { return std::move(values_); }

 private:
  config::ShownOptions values_;
};

// Of an empty setting Barman shows one empty name.
std::vector<std::string> names_or_none(const std::string& setting) {
  std::vector<std::string> names = postgres::synchronous_standbys(setting);
  if (names.empty()) names.emplace_back();
  return names;
}

OptionValue slot_value(const std::optional<postgres::ReplicationSlot>& slot) {
  if (!slot) return {nullptr};
  return {
      fmt::format("Record(slot_name='{}', active={}, restart_lsn={})", slot->name,
                  slot->active ? "True" : "False",
                  slot->restart_lsn ? "'" + wal::format_lsn(*slot->restart_lsn) + "'" : "None")};
}

template <typename T, typename Member>
std::optional<Member> part_of(const std::optional<T>& whole, Member T::*member) {
  return whole ? std::optional<Member>((*whole).*member) : std::nullopt;
}
template <typename T, typename Member>
std::optional<Member> part_of(const std::optional<T>& whole, std::optional<Member> T::*member) {
  return whole ? (*whole).*member : std::nullopt;
}

void add_settings(LiveValues& values, const ServerFacts& facts) {
  using postgres::ServerSettings;
  const std::optional<ServerSettings>& settings = facts.settings;
  values.add("archive_timeout", part_of(settings, &ServerSettings::archive_timeout));
  values.add("checkpoint_timeout", part_of(settings, &ServerSettings::checkpoint_timeout));
  values.add("config_file", part_of(settings, &ServerSettings::config_file));
  values.add("hba_file", part_of(settings, &ServerSettings::hba_file));
  values.add("ident_file", part_of(settings, &ServerSettings::ident_file));
  values.add("included_files", settings && !settings->included_files.empty()
                                   ? value_of(settings->included_files)
                                   : OptionValue{nullptr});
  values.add("data_directory", part_of(settings, &ServerSettings::data_directory));
  values.add("wal_level", part_of(settings, &ServerSettings::wal_level));
  values.add("hot_standby", part_of(settings, &ServerSettings::hot_standby));
  values.add("max_wal_senders", part_of(settings, &ServerSettings::max_wal_senders));
  values.add("max_replication_slots", part_of(settings, &ServerSettings::max_replication_slots));
  values.add("data_checksums", part_of(settings, &ServerSettings::data_checksums));
  values.add("wal_compression", part_of(settings, &ServerSettings::wal_compression));
  values.add(postgres::facts_for(facts.version.value_or(0)).wal_keep_setting,
             part_of(settings, &ServerSettings::wal_keep));
  values.add("xlog_segment_size",
             settings ? OptionValue{static_cast<std::int64_t>(settings->segment_size.bytes)}
                      : OptionValue{nullptr});
  const std::optional<std::string> names =
      part_of(settings, &ServerSettings::synchronous_standby_names);
  values.add("synchronous_standby_names",
             names ? value_of(names_or_none(*names)) : OptionValue{nullptr});
}

void add_connection(LiveValues& values, const ServerFacts& facts) {
  using postgres::Privileges;
  // libpq tells a cause on several lines; here one key is one line.
  values.add("connection_error", facts.connection_error
                                     ? OptionValue{join(split_blanks(*facts.connection_error), " ")}
                                     : OptionValue{nullptr});
  values.add("server_txt_version", facts.version_text);
  values.add("version_supported", facts.version
                                      ? OptionValue{*facts.version >= postgres::kMinimumVersion}
                                      : OptionValue{nullptr});
  values.add("is_superuser", part_of(facts.privileges, &Privileges::superuser));
  values.add("has_backup_privileges", part_of(facts.privileges, &Privileges::backup));
  values.add("has_monitoring_privileges", part_of(facts.privileges, &Privileges::monitoring));
  values.add("is_in_recovery", facts.is_in_recovery);
  values.add("current_lsn", facts.wal_position
                                ? OptionValue{wal::format_lsn(facts.wal_position->lsn)}
                                : OptionValue{nullptr});
  values.add("current_xlog", part_of(facts.wal_position, &postgres::WalPosition::wal_name));
  values.add("current_size", facts.size_bytes ? OptionValue{fmt::to_string(*facts.size_bytes)}
                                              : OptionValue{nullptr});
  values.add("replication_slot_support", facts.version ? OptionValue{true} : OptionValue{nullptr});
  values.add("replication_slot", slot_value(facts.slot));
  values.add("postgres_systemid", facts.system_id
                                      ? OptionValue{postgres::format_system_id(*facts.system_id)}
                                      : OptionValue{nullptr});
}

void add_streaming(LiveValues& values, const ServerFacts& facts) {
  const std::optional<replication::SystemIdentity>& identity = facts.streaming;
  const bool is_reached = facts.streaming_version.has_value();
  values.add("streaming_supported", is_reached ? OptionValue{true} : OptionValue{nullptr});
  values.add("streaming", is_reached ? OptionValue{identity.has_value()} : OptionValue{nullptr});
  values.add("streaming_systemid",
             identity ? OptionValue{postgres::format_system_id(identity->system_id)}
                      : OptionValue{nullptr});
  values.add("timeline",
             identity ? OptionValue{std::int64_t{identity->timeline.value}} : OptionValue{nullptr});
  values.add("xlogpos",
             identity ? OptionValue{wal::format_lsn(identity->flush_lsn)} : OptionValue{nullptr});
}

// The keys named after the client programs tell about the client that is part of this one.
void add_client(LiveValues& values, const std::string& prefix, const server::Server& server,
                const ServerFacts& facts) {
  const std::optional<int> version =
      facts.streaming_version ? facts.streaming_version : facts.version;
  values.add(prefix + "_installed", OptionValue{true});
  values.add(prefix + "_path", OptionValue{server.program().program.string()});
  values.add(prefix + "_version", OptionValue{fmt::to_string(kNewestForClient)});
  values.add(
      prefix + "_compatible",
      version ? OptionValue{*version >= postgres::kOldestStreamingVersion} : OptionValue{nullptr});
}

OptionValue is_synchronous(const server::Server& server, const ServerFacts& facts) {
  if (!facts.settings || !facts.settings->synchronous_standby_names) return {nullptr};
  return {postgres::is_synchronous_standby(*facts.settings->synchronous_standby_names,
                                           wal_transfer::receiver_name(server.config()))};
}

// As Barman shows what PostgreSQL computes: a numeric, as which EXTRACT has its result since
// PostgreSQL 14, is text (so is current_size), a double precision is a number.
OptionValue archiving_rate(const ServerFacts& facts) {
  if (!facts.archiver || !facts.archiver->current_archived_wals_per_second) return {nullptr};
  const double rate = *facts.archiver->current_archived_wals_per_second;
  if (facts.version.value_or(0) >= postgres::kExtractIsNumeric) return {shortest_float(rate)};
  return {rate};
}

void add_archiver(LiveValues& values, const ServerFacts& facts) {
  using postgres::ArchiverStatistics;
  using postgres::ServerSettings;
  const std::optional<ArchiverStatistics>& archiver = facts.archiver;
  values.add("archive_mode", part_of(facts.settings, &ServerSettings::archive_mode));
  values.add("archive_command", part_of(facts.settings, &ServerSettings::archive_command));
  values.add("archived_count", part_of(archiver, &ArchiverStatistics::archived_count));
  values.add("last_archived_wal", part_of(archiver, &ArchiverStatistics::last_archived_wal));
  values.add("last_archived_time", part_of(archiver, &ArchiverStatistics::last_archived_time));
  values.add("failed_count", part_of(archiver, &ArchiverStatistics::failed_count));
  values.add("last_failed_wal", part_of(archiver, &ArchiverStatistics::last_failed_wal));
  values.add("last_failed_time", part_of(archiver, &ArchiverStatistics::last_failed_time));
  values.add("stats_reset", part_of(archiver, &ArchiverStatistics::stats_reset));
  values.add("is_archiving", part_of(archiver, &ArchiverStatistics::is_archiving));
  values.add("current_archived_wals_per_second", archiving_rate(facts));
}

}  // namespace

bool has_live_values(const config::ServerConfig& config) {
  return config.active && !config.is_passive();
}

ServerFacts gather_server_facts(const server::Server& server) {
  ServerFacts facts;
  if (!has_live_values(server.config())) return facts;
  gather_by_sql(server, facts);
  if (streams(server.config())) gather_by_streaming(server, facts);
  return facts;
}

config::ShownOptions list_live_values(const server::Server& server, const ServerFacts& facts) {
  const config::ServerConfig& config = server.config();
  if (!has_live_values(config)) return {};
  LiveValues values;
  add_connection(values, facts);
  add_settings(values, facts);
  if (streams(config)) add_streaming(values, facts);
  if (config.streaming_archiver) {
    add_client(values, "pg_receivexlog", server, facts);
    values.add("pg_receivexlog_supports_slots", OptionValue{true});
    values.add("pg_receivexlog_synchronous", is_synchronous(server, facts));
  }
  if (config.archiver) add_archiver(values, facts);
  if (config.backup_method == config::BackupMethod::postgres) {
    add_client(values, "pg_basebackup", server, facts);
    values.add("pg_basebackup_bwlimit", OptionValue{true});
    values.add("pg_basebackup_tbls_mapping", OptionValue{true});
  }
  return values.take();
}

}  // namespace barman::facts
