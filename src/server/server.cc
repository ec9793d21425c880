#include "server/server.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "base/durable.h"
#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/secrets.h"
#include "base/text.h"
#include "postgres/conninfo.h"
#include "server/server_directories.h"

namespace barman::server {
namespace {

std::optional<catalogue::BucketLocation> bucket_of(const config::ServerConfig& config,
                                                   std::shared_ptr<ServerBuckets> buckets) {
  if (!config.has_cloud_basebackups()) return std::nullopt;
  catalogue::BucketLocation location;
  if (config.aws_object_lock_mode) {
    location.open_notes = [buckets] { return buckets->find(ObjectsOf::notes); };
  }
  location.open = [buckets = std::move(buckets)] { return buckets->find(ObjectsOf::backups); };
  // A URL that cannot be used is told by who opens it; other commands go on.
  try {
    location.path = bucket_url(config, ObjectsOf::backups).prefix;
  } catch (const Error&) {
    location.path = config.basebackups_directory;
  }
  if (!config.active) location.copies = catalogue::MetadataCopies::none;
  return location;
}

// "s3://bucket/path/main/base"
std::string place_of_backups(const config::ServerConfig& config) {
  std::string place = config.basebackups_directory;
  if (!config.has_cloud_basebackups()) return place;
  while (place.ends_with('/')) place.pop_back();
  return fmt::format("{}/{}/base", place, config.name);
}

catalogue::CatalogueLocations locations_of(const config::ServerConfig& config,
                                           const config::GlobalConfig& global,
                                           std::shared_ptr<ServerBuckets> buckets) {
  return {.server_name = config.name,
          .backup_directory = config.backup_directory,
          .basebackups_directory = place_of_backups(config),
          .wals_directory = config.wals_directory,
          .xlogdb_directory = config.xlogdb_location(),
          .meta_directory = config.meta_directory(),
          .lock_directory = global.barman_lock_directory,
          .errors_directory = config.errors_directory,
          .incoming_directory = config.incoming_wals_directory,
          .streaming_directory = config.streaming_wals_directory,
          .has_local_backups = !config.has_cloud_basebackups(),
          .has_local_wals = !config.has_cloud_wals(),
          .bucket = bucket_of(config, std::move(buckets))};
}

catalogue::NotePlaces note_places(const config::GlobalConfig& global) {
  const std::filesystem::path log_file = global.log_file.value_or("");
  return {.barman_home = global.barman_home, .log_directory = log_file.parent_path()};
}

const std::string& required(const std::optional<std::string>& conninfo, const char* option,
                            const std::string& server) {
  if (!conninfo) {
    throw Error(ErrorKind::config,
                fmt::format("Missing '{}' parameter for server '{}'", option, server),
                fmt::format("Set {} in the section of the server.", option));
  }
  return *conninfo;
}

}  // namespace

Server::Server(const config::ServerConfig& config, const config::GlobalConfig& global,
               ProgramContext program)
    : config_(config),
      global_(global),
      program_(std::move(program)),
      buckets_(
          config.has_cloud_basebackups() || config.has_cloud_wals()
              ? std::make_shared<ServerBuckets>(config_, program_.interrupt, program_.bucket_limit)
              : nullptr),
      catalogue_(locations_of(config, global, buckets_)) {}

postgres::Connection Server::connect(const postgres::ConnectionLimits& limits) const {
  const std::string& conninfo = required(config_.conninfo, "conninfo", name());
  return postgres::Connection::open(postgres::make_sql_conninfo(conninfo), limits, interrupt());
}

postgres::Connection Server::connect_primary(const postgres::ConnectionLimits& limits) const {
  const std::string& conninfo = required(config_.primary_conninfo, "primary_conninfo", name());
  return postgres::Connection::open(postgres::make_sql_conninfo(conninfo), limits, interrupt());
}

postgres::Connection Server::connect_streaming(const std::string& application_name,
                                               const postgres::ConnectionLimits& limits) const {
  const std::string& conninfo = required(config_.streaming_conninfo, "streaming_conninfo", name());
  return postgres::Connection::open(postgres::make_replication_conninfo(conninfo, application_name),
                                    limits, interrupt());
}

postgres::Connection Server::connect_beside_streaming(
    const postgres::ConnectionLimits& limits) const {
  const std::string& conninfo = required(config_.conninfo, "conninfo", name());
  if (!config_.streaming_conninfo ||
      postgres::have_same_place(conninfo, *config_.streaming_conninfo)) {
    return connect(limits);
  }
  const std::string database = postgres::find_parameter(conninfo, "dbname").value_or("postgres");
  for (const std::string& candidate :
       {postgres::move_conninfo(conninfo, *config_.streaming_conninfo),
        postgres::with_database(*config_.streaming_conninfo, database)}) {
    // A streaming user need not be let into a database, nor the other one into that server.
    try {
      return postgres::Connection::open(postgres::make_sql_conninfo(candidate), limits,
                                        interrupt());
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupted) throw;
      log::debug(log::kServerComponent, "cannot ask the server that WAL of '{}' streams from: {}",
                 name(), error.describe());
    }
  }
  return connect(limits);
}

Server Server::with_wal_connections() const {
  config::ServerConfig changed = config_;
  changed.conninfo = config_.effective_wal_conninfo();
  changed.streaming_conninfo = config_.effective_wal_streaming_conninfo();
  return {changed, global_, program_};
}

std::string Server::wal_connections_text() const {
  if (!config_.wal_conninfo && !config_.wal_streaming_conninfo) return {};
  std::vector<std::string> parts;
  if (config_.wal_streaming_conninfo) {
    parts.push_back("'streaming_conninfo' overridden with '" +
                    mask_conninfo(*config_.wal_streaming_conninfo) + "'");
  }
  if (const auto conninfo = config_.effective_wal_conninfo();
      conninfo && conninfo != config_.conninfo) {
    parts.push_back("'conninfo' overridden with '" + mask_conninfo(*conninfo) + "'");
  }
  if (parts.empty()) return {};
  return mask_passwords("Configuration overrides applied: " + join(parts, " and "));
}

encryption::Cipher Server::cipher() const {
  return encryption::Cipher(
      {.recipient = config_.encryption_key_id.value_or(""),
       .passphrase_command = config_.encryption_passphrase_command.value_or("")});
}

std::optional<Error> Server::find_absence(catalogue::NewCatalogue new_catalogue) const {
  return catalogue::find_absence(locations(), note_places(global_), new_catalogue);
}

void Server::require_presence(catalogue::NewCatalogue new_catalogue) const {
  if (const std::optional<Error> absence = find_absence(new_catalogue)) throw Error(*absence);
}

void Server::note_presence() const { catalogue::note_presence(locations(), note_places(global_)); }

void Server::create_directories() const {
  require_presence(catalogue::NewCatalogue::is_made);
  for (const std::string& directory : local_directories(config_)) make_directories(directory);
  note_presence();
}

FileLock lock_or_throw(const std::filesystem::path& path, const std::string& busy_message) {
  std::optional<FileLock> lock = FileLock::try_lock(path);
  if (!lock) throw Error(ErrorKind::conflict, busy_message);
  return std::move(*lock);
}

FileLock share_backup(const Server& server, const catalogue::BackupId& id,
                      std::string_view action) {
  constexpr int kAttempts = 50;
  constexpr int kPauseMs = 100;
  const auto refuse = [&](const char* reason, const char* hint) -> Error {
    return {ErrorKind::conflict,
            fmt::format("Cannot {} backup '{}' of server '{}': {}", action, id.value, server.name(),
                        reason),
            hint};
  };
  const std::filesystem::path path = catalogue::backup_id_lock(server.locks(), id);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    server.interrupt().throw_if_requested();
    if (std::optional<FileLock> lock = FileLock::try_lock_shared(path)) {
      if (!server.catalogue().is_being_deleted(id)) return std::move(*lock);
      throw refuse("its deletion has begun", "Choose another backup; 'list-backups' shows them.");
    }
    sleep_unless_interrupted(kPauseMs, server.interrupt());
  }
  throw refuse("another process is working on it",
               "Wait for it to end, or choose another backup; 'list-backups' shows them.");
}

}  // namespace barman::server
