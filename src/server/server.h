// One configured server as flows see it: its frozen configuration, its catalogue, its locks, and
// the ways to its PostgreSQL. Connections are opened when asked for, never when a Server is built,
// so that list-backups or get-wal work while PostgreSQL is down.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/file_lock.h"
#include "base/interrupt.h"
#include "base/wall_clock.h"
#include "catalogue/catalogue.h"
#include "catalogue/locks.h"
#include "catalogue/presence.h"
#include "config/configuration.h"
#include "config/server_config.h"
#include "encryption/cipher.h"
#include "postgres/connection.h"
#include "server/server_storage.h"

namespace barman::server {

// What flows need to know of the running program. `program` and `configuration_path` make the
// command lines of child processes: `program -c configuration_path -q COMMAND`.
struct ProgramContext {
  std::filesystem::path program;
  std::filesystem::path configuration_path;
  Interrupt interrupt;
  WallClock clock = {};
  // How long to try to connect to a bucket; see StoreOptions::connect_limit.
  std::optional<std::chrono::milliseconds> bucket_limit = {};
};

class Server {
 public:
  // Keeps references to none of its arguments.
  Server(const config::ServerConfig& config, const config::GlobalConfig& global,
         ProgramContext program);

  const std::string& name() const { return config_.name; }
  const config::ServerConfig& config() const { return config_; }
  const catalogue::Catalogue& catalogue() const { return catalogue_; }
  const catalogue::CatalogueLocations& locations() const { return catalogue_.locations(); }
  const ProgramContext& program() const { return program_; }
  const Interrupt& interrupt() const { return program_.interrupt; }
  const WallClock& clock() const { return program_.clock; }
  const config::GlobalConfig& global() const { return global_; }
  catalogue::LockLocation locks() const { return catalogue_.locations().locks(); }
  // Whether the WAL of PostgreSQL comes from it into the archive.
  bool archives_wal() const { return !config_.is_passive(); }

  // SQL sessions with `conninfo`, and with the primary when conninfo is a standby. Throw
  // Error(config) when the option is unset, Error(connection) when PostgreSQL cannot be reached.
  postgres::Connection connect(const postgres::ConnectionLimits& limits = {}) const;
  postgres::Connection connect_primary(const postgres::ConnectionLimits& limits = {}) const;
  // A replication session; its application_name unless the user's string has one.
  postgres::Connection connect_streaming(const std::string& application_name,
                                         const postgres::ConnectionLimits& limits = {}) const;

  // An SQL session with the server that streaming_conninfo leads to, for questions about slots and
  // WAL senders. That is where conninfo leads, unless the strings name another place: then it is
  // tried there with the user of conninfo and that of streaming_conninfo. When neither is let in,
  // the session is conninfo's all the same, and may know nothing of what is asked.
  postgres::Connection connect_beside_streaming(
      const postgres::ConnectionLimits& limits = {}) const;

  // A copy whose conninfo and streaming_conninfo are those of WAL streaming (wal_conninfo,
  // wal_streaming_conninfo); the text tells which were overridden, empty when none.
  Server with_wal_connections() const;
  std::string wal_connections_text() const;

  // The store that the URL of basebackups_directory or wals_directory leads to; nullptr when that
  // is a directory of this host. One of each, shared by the copies of this Server; nobody is asked
  // anything yet. Throws `config`.
  std::shared_ptr<object_store::ObjectStore> find_bucket(ObjectsOf what) const {
    return buckets_ ? buckets_->find(what) : nullptr;
  }

  // As the options encryption_key_id and encryption_passphrase_command say.
  encryption::Cipher cipher() const;

  // Creates the configured local directories that are missing, and `meta/`; data directories 0700.
  // Throws SystemError naming the directory, and what require_presence() throws for a new server.
  void create_directories() const;

  // Throws when the disk of the catalogue seems not to be mounted (catalogue/presence.h).
  void require_presence(catalogue::NewCatalogue new_catalogue) const;
  std::optional<Error> find_absence(catalogue::NewCatalogue new_catalogue) const;
  void note_presence() const;

 private:
  config::ServerConfig config_;
  config::GlobalConfig global_;
  ProgramContext program_;
  // nullptr: both lie on this host.
  std::shared_ptr<ServerBuckets> buckets_;
  catalogue::Catalogue catalogue_;
};

// Takes one of the locks of catalogue/locks.h or throws `conflict` with `busy_message`.
FileLock lock_or_throw(const std::filesystem::path& path, const std::string& busy_message);

// Keeps a backup from being deleted while it is read: a shared lock on it. Who holds the exclusive
// one for a moment (check-backup, a probe of cron) is waited for, some seconds. Throws `conflict`
// "Cannot <action> backup 'ID' of server 'S': …" when it is busy or its deletion has begun.
FileLock share_backup(const Server& server, const catalogue::BackupId& id, std::string_view action);

}  // namespace barman::server
