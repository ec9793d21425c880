#include "backup/unlocked_wal.h"

#include <optional>
#include <set>

#include <fmt/format.h>

#include "backup/delete_backup.h"
#include "base/error.h"
#include "base/file_lock.h"
#include "base/log.h"
#include "base/log_components.h"
#include "catalogue/locks.h"
#include "wal_archive/locked_wal.h"
#include "wal_archive/remove_wals.h"

namespace barman::backup {

void remove_unlocked_wal(const server::Server& server, catalogue::BackupListReader& reader,
                         Messages& messages) {
  if (!server.config().has_cloud_wals()) return;
  const auto locked = wal_archive::find_locked_wal(server.locations().backup_directory);
  if (!locked || server.clock().now() < locked->until) return;
  const std::optional<FileLock> lock = FileLock::try_lock(catalogue::backup_lock(server.locks()));
  if (!lock) return;  // The next cron comes in a minute.
  const catalogue::BackupList& list = reader.read();
  const catalogue::Annotations annotations = server.catalogue().list_annotations();
  if (const std::string gap = catalogue::find_gap(annotations, server.name()); !gap.empty()) {
    log::warning(log::kBackupComponent, "no WAL of server {} is removed: {}", server.name(), gap);
    return;
  }
  std::optional<catalogue::RetentionInput> policy;
  if (server.config().retention_policy && !annotations.keeps.empty()) {
    policy = retention_input(server, list.backups, annotations);
  }
  const wal_archive::WalRemovalPlan plan = wal_archive::plan_unneeded_wal(
      list, catalogue::standalone_backups(list.backups, annotations, policy ? &*policy : nullptr));
  if (!plan.is_removing) {
    // What a later deletion decides counts.
    if (!plan.is_damage) {
      wal_archive::note_locked_wal(server.locations().backup_directory, std::nullopt);
    }
    log::info(log::kBackupComponent, "no WAL of server {} is removed: {}", server.name(),
              plan.reason);
    return;
  }
  const wal_archive::RemovedWals removed = wal_archive::remove_wals(server, plan);
  if (!removed.names.empty()) {
    messages.info(fmt::format(
        "{} WAL files of server {}, from {} to {}, were removed: nobody needs "
        "them, and their locks have ended",
        removed.names.size(), server.name(), removed.names.front(), removed.names.back()));
  }
  if (!removed.left.empty()) messages.info(removed.left);
}

}  // namespace barman::backup
