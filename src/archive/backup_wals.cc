#include "archive/backup_wals.h"

#include <optional>
#include <set>

#include <fmt/format.h>

#include "archive/remove_wals.h"
#include "base/file_lock.h"
#include "base/log.h"
#include "catalogue/locks.h"
#include "catalogue/wal_check.h"
#include "catalogue/wal_removal.h"

namespace barman::archive {
namespace {

using Outcome = catalogue::WalCheckResult::Outcome;

BackupWals state_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::unchanged:
      return BackupWals::unchanged;
    case Outcome::waiting:
      return BackupWals::waiting;
    case Outcome::done:
      return BackupWals::done;
    case Outcome::failed:
      return BackupWals::failed;
  }
  return BackupWals::unchanged;
}

}  // namespace

BackupWals check_backup_wals(const server::Server& server, const catalogue::BackupId& id,
                             Messages& messages) {
  const std::optional<FileLock> lock =
      FileLock::try_lock(catalogue::backup_id_lock(server.locks(), id));
  if (!lock) {
    messages.info(fmt::format("Another process is holding the lock for backup {} of server {}.",
                              id.value, server.name()));
    return BackupWals::busy;
  }
  // Read under the lock: another process may have judged or deleted it meanwhile.
  catalogue::BackupInfo backup = server.catalogue().load_backup(id);
  const catalogue::WalCheckResult result = catalogue::check_backup_wal(
      backup, catalogue::look_into_archive(server.locations().wals_directory));
  if (result.outcome == Outcome::unchanged) return BackupWals::unchanged;
  catalogue::apply_wal_check(result, backup);
  server.catalogue().save(backup);
  messages.debug(fmt::format("Status of backup {} of server {}: {}", id.value, server.name(),
                             catalogue::status_text(backup.status)));
  if (result.outcome == Outcome::failed) {
    messages.error("This backup has been marked as FAILED due to the following reason: " +
                   result.reason);
  }
  return state_of(result.outcome);
}

void remove_wals_before_first_backup(const server::Server& server,
                                     const catalogue::BackupInfo& backup, Messages& messages) {
  const catalogue::BackupList list = server.catalogue().list_backups();
  if (catalogue::previous_backup(list.backups, backup.id) != nullptr) return;
  if (!list.broken.empty()) {
    const catalogue::BrokenBackup& broken = list.broken.front();
    return messages.warning(fmt::format(
        "Whether this is the first backup for server {} is not known, and no WAL is removed: the "
        "metadata of backup {} cannot be read: {}",
        server.name(), broken.id.value, broken.reason));
  }
  messages.info(fmt::format("This is the first backup for server {}", server.name()));
  if (server.config().worm_mode) {
    messages.info("'worm_mode' is enabled, skip purging of unused WAL files.");
    return;
  }
  std::set<catalogue::BackupId> standalone;
  for (const auto& [id, target] : server.catalogue().list_annotations().keeps) {
    if (target == catalogue::KeepTarget::standalone) standalone.insert(id);
  }
  const catalogue::WalRemovalPlan plan =
      catalogue::plan_first_backup_purge(list, backup, std::move(standalone));
  if (!plan.is_removing) {
    log::info("barman.backup", "no WAL is removed before backup {}: {}", backup.id.value,
              plan.reason);
    return;
  }
  const std::vector<std::string> removed = remove_wals(server, plan);
  if (removed.empty()) return;
  messages.info("WAL segments preceding the current backup have been found:");
  for (const std::string& name : removed) {
    messages.info(fmt::format("\t{} from server {} has been removed", name, server.name()));
  }
}

}  // namespace barman::archive
