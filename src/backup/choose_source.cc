#include "backup/choose_source.h"

#include <string>

#include <fmt/format.h>

#include "backup/local_files.h"
#include "backup/local_to_cloud.h"
#include "backup/postgres_stream.h"
#include "backup/rsync_files.h"
#include "base/error.h"
#include "config/cloud_rules.h"
#include "config/validation.h"

namespace barman::backup {
namespace {

using SourceMaker = std::unique_ptr<BackupSource> (*)(const server::Server& server,
                                                      const BackupRequest& request);

// nullptr for a method that is not built.
SourceMaker find_source(config::BackupMethod method) {
  switch (method) {
    case config::BackupMethod::postgres:
      return make_postgres_stream;
    case config::BackupMethod::local_rsync:
      return make_local_files;
    case config::BackupMethod::rsync:
      return make_rsync_files;
    case config::BackupMethod::local_to_cloud:
      return make_local_to_cloud;
    case config::BackupMethod::snapshot:
      break;
  }
  return nullptr;
}

}  // namespace

void require_source(const config::ServerConfig& config) {
  const auto refuse = [&](const std::string& setting, const std::string& next_step) {
    throw Error(ErrorKind::config,
                "cannot back up server '" + config.name + "': " + setting +
                    " is not available in this version",
                next_step);
  };
  if (const auto doubt = config.find_backup_doubt()) {
    throw Error(ErrorKind::config,
                fmt::format("cannot back up server '{}': {}", config.name, *doubt));
  }
  if (const auto problem = config::find_object_lock_problem(config)) {
    throw Error(ErrorKind::config,
                fmt::format("cannot back up server '{}': {}", config.name, *problem),
                "Change these settings; backups that are there can be restored.");
  }
  if (find_source(config.backup_method) == nullptr) {
    refuse("backup_method = " + std::string(config::to_text(config.backup_method)),
           "Set backup_method = postgres and streaming_conninfo, backup_method = rsync and "
           "ssh_command, or, on the host of PostgreSQL, backup_method = local-rsync.");
  }
  if (!config.has_cloud_basebackups()) {
    if (config.backup_method != config::BackupMethod::local_to_cloud) return;
    throw Error(ErrorKind::config,
                fmt::format("cannot back up server '{}': backup_method = local-to-cloud needs "
                            "buckets as basebackups_directory and wals_directory",
                            config.name),
                "Set both to the URL of a bucket, s3://BUCKET/PATH.");
  }
  if (config.backup_method != config::BackupMethod::postgres &&
      config.backup_method != config::BackupMethod::local_to_cloud) {
    refuse("a bucket as basebackups_directory with backup_method = " +
               std::string(config::to_text(config.backup_method)),
           "Set backup_method = postgres and streaming_conninfo, or use a local directory for "
           "basebackups_directory.");
  }
}

void require_supported(const config::ServerConfig& config) {
  require_source(config);
  if (const auto problem = config::find_encryption_problem(config)) {
    throw Error(ErrorKind::config,
                fmt::format("cannot back up server '{}': {}", config.name, *problem),
                "Change the settings of the server, or set encryption = none.");
  }
}

std::unique_ptr<BackupSource> choose_source(const server::Server& server,
                                            const BackupRequest& request) {
  require_source(server.config());
  return find_source(server.config().backup_method)(server, request);
}

}  // namespace barman::backup
