// The lock files of a server. Names and kind of lock are
// those of Barman, so that both programs exclude each other. Use with FileLock of base/file_lock.h.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "catalogue/backup_id.h"

namespace barman::catalogue {

struct LockLocation {
  std::filesystem::path directory;
  std::string server_name;
};

// ".config-update.lock": not of a server.
std::filesystem::path config_lock(const std::filesystem::path& lock_directory);
std::filesystem::path backup_lock(const LockLocation& location);
std::filesystem::path backup_id_lock(const LockLocation& location, const BackupId& id);
std::filesystem::path cron_lock(const LockLocation& location);
std::filesystem::path archive_wal_lock(const LockLocation& location);
std::filesystem::path receive_wal_lock(const LockLocation& location);
std::filesystem::path wal_index_lock(const LockLocation& location);
std::filesystem::path sync_backup_lock(const LockLocation& location, const BackupId& id);
std::filesystem::path sync_wal_lock(const LockLocation& location);

struct ServerProcess {
  std::string task;  // "receive-wal"
  pid_t pid = 0;
};
// Processes that hold locks of exactly this server, in the order receive-wal, sync-backup, backup,
// cron, archive-wal, sync-wal.
std::vector<ServerProcess> list_processes(const LockLocation& location);

// Removes the lock files of any server that nobody holds; files of other names stay, and those that
// cannot be removed (a log line tells why). Returns how many went.
std::size_t clean_lock_directory(const std::filesystem::path& lock_directory);

}  // namespace barman::catalogue
