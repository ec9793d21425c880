#include "catalogue/locks.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "base/directory.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/file_lock.h"
#include "base/log.h"

namespace barman::catalogue {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kSuffix = ".lock";
constexpr std::string_view kSyncBackup = "-sync-backup";
constexpr std::size_t kIdLength = 15;

fs::path lock_path(const LockLocation& location, std::string_view kind) {
  return location.directory / ("." + location.server_name + "-" + std::string(kind) + ".lock");
}

std::vector<std::string> list_lock_files(const fs::path& directory) {
  std::vector<std::string> names = list_directory(directory);
  std::erase_if(names, [](const std::string& name) {
    return !name.starts_with('.') || !name.ends_with(kSuffix);
  });
  return names;
}

// ".<server>-<kind>.lock" of any server, or one of the two files that belong to none.
bool is_our_lock_file(std::string_view name) {
  constexpr std::array<std::string_view, 6> kKinds = {"-backup",      "-cron",   "-archive-wal",
                                                      "-receive-wal", "-xlogdb", "-sync-wal"};
  if (name == ".config-update.lock" || name == ".cron.lock") return true;
  std::string_view stem = name.substr(1, name.size() - 1 - kSuffix.size());
  for (const std::string_view kind : kKinds) {
    if (stem.ends_with(kind) && stem.size() > kind.size()) return true;
  }
  if (stem.ends_with(kSyncBackup)) stem.remove_suffix(kSyncBackup.size());
  return stem.size() > kIdLength + 1 && is_backup_id(stem.substr(stem.size() - kIdLength)) &&
         stem[stem.size() - kIdLength - 1] == '-';
}

void add_process(std::vector<ServerProcess>& processes, std::string_view task,
                 const fs::path& path) {
  const std::optional<pid_t> pid = FileLock::holder(path);
  if (pid) processes.push_back({.task = std::string(task), .pid = *pid});
}

}  // namespace

fs::path config_lock(const fs::path& lock_directory) {
  return lock_directory / ".config-update.lock";
}
fs::path backup_lock(const LockLocation& location) { return lock_path(location, "backup"); }
fs::path backup_id_lock(const LockLocation& location, const BackupId& id) {
  return lock_path(location, id.value);
}
fs::path cron_lock(const LockLocation& location) { return lock_path(location, "cron"); }
fs::path archive_wal_lock(const LockLocation& location) {
  return lock_path(location, "archive-wal");
}
fs::path receive_wal_lock(const LockLocation& location) {
  return lock_path(location, "receive-wal");
}
fs::path wal_index_lock(const LockLocation& location) { return lock_path(location, "xlogdb"); }
fs::path sync_backup_lock(const LockLocation& location, const BackupId& id) {
  return lock_path(location, id.value + std::string(kSyncBackup));
}
fs::path sync_wal_lock(const LockLocation& location) { return lock_path(location, "sync-wal"); }

std::vector<ServerProcess> list_processes(const LockLocation& location) {
  std::vector<ServerProcess> processes;
  add_process(processes, "receive-wal", receive_wal_lock(location));
  const std::string prefix = "." + location.server_name + "-";
  for (const std::string& name : list_lock_files(location.directory)) {
    const std::string_view view = name;
    if (!view.starts_with(prefix)) continue;
    const std::string_view id = view.substr(prefix.size(), kIdLength);
    if (is_backup_id(id) && view.substr(prefix.size() + kIdLength) == "-sync-backup.lock") {
      add_process(processes, "sync-backup", location.directory / name);
    }
  }
  add_process(processes, "backup", backup_lock(location));
  add_process(processes, "cron", cron_lock(location));
  add_process(processes, "archive-wal", archive_wal_lock(location));
  add_process(processes, "sync-wal", sync_wal_lock(location));
  return processes;
}

std::size_t clean_lock_directory(const fs::path& lock_directory) {
  std::size_t count = 0;
  for (const std::string& name : list_lock_files(lock_directory)) {
    if (!is_our_lock_file(name)) continue;
    // Removed while it is held: who waits for it notices the changed inode and takes a new file.
    try {
      const std::optional<FileLock> lock = FileLock::try_lock(lock_directory / name);
      if (!lock) continue;
      remove_durably(lock_directory / name);
      ++count;
    } catch (const Error& error) {
      // A file of another user is in nobody's way, and must not keep the others.
      log::warning("barman.lockfile", "cannot remove lock file \"{}\": {}",
                   (lock_directory / name).string(), error.describe());
    }
  }
  return count;
}

}  // namespace barman::catalogue
