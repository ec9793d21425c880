// Backups for the unit tests of this folder.
#pragma once

#include <string>

#include "base/test_support.h"
#include "catalogue/backup_info.h"
#include "catalogue/catalogue.h"

namespace barman::catalogue {

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
