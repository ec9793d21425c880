// Backups and catalogues for unit tests.
#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "base/test_support.h"
#include "catalogue/backup_info.h"
#include "catalogue/catalogue.h"

namespace barman::catalogue {

// The layout of a server without settings of its own, with lock files in the parent.
inline CatalogueLocations default_locations(std::string server_name,
                                            const std::filesystem::path& backup_directory) {
  return {.server_name = std::move(server_name),
          .backup_directory = backup_directory,
          .basebackups_directory = backup_directory / "base",
          .wals_directory = backup_directory / "wals",
          .xlogdb_directory = backup_directory / "wals",
          .meta_directory = backup_directory / "meta",
          .lock_directory = backup_directory.parent_path(),
          .errors_directory = backup_directory / "errors",
          .incoming_directory = backup_directory / "incoming",
          .streaming_directory = backup_directory / "streaming"};
}

// A finished backup of method postgres that needs the WAL from begin to end.
inline BackupInfo make_backup(std::string id, std::string begin_wal, std::string end_wal,
                              BackupStatus status = BackupStatus::done) {
  BackupInfo info;
  info.id = {std::move(id)};
  info.status = status;
  info.mode = "postgres";
  if (!begin_wal.empty()) info.begin_wal = std::move(begin_wal);
  if (!end_wal.empty()) info.end_wal = std::move(end_wal);
  info.timeline = info.wal_timeline();
  return info;
}

inline BackupInfo make_incremental(std::string id, std::string parent,
                                   BackupStatus status = BackupStatus::done) {
  BackupInfo info = make_backup(std::move(id), "", "", status);
  info.parent_backup_id = BackupId{std::move(parent)};
  return info;
}

}  // namespace barman::catalogue
