#include "backup/abandoned_backups.h"

#include <chrono>
#include <cstdint>

#include "backup/free_space.h"
#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "catalogue/cloud_catalogue.h"
#include "object_store/object_store.h"
#include "server/server_storage.h"

namespace barman::backup {

using catalogue::BackupStatus;

void fail_abandoned_backups(const server::Server& server, const catalogue::BackupList& list,
                            Messages& messages) {
  for (const catalogue::BackupInfo& abandoned : list.backups) {
    if (abandoned.status != BackupStatus::empty && abandoned.status != BackupStatus::started)
      continue;
    catalogue::BackupInfo info = abandoned;
    info.status = BackupStatus::failed;
    info.error = "failure copying files (the backup process ended before the backup was complete)";
    ReservedRoom::remove_left(server, info.id);
    server.catalogue().save(info);
    abort_uploads(server, info.id);
    messages.warning("Backup " + info.id.value + " of server " + server.name() +
                     " was abandoned by its process and is now marked as FAILED");
  }
}

void abort_uploads(const server::Server& server, const catalogue::BackupId& id) {
  const auto bucket = server.catalogue().bucket();
  if (!bucket) return;
  try {
    const auto store = server.find_bucket(server::ObjectsOf::backups);
    for (const auto& upload : store->list_unfinished(bucket->layout().backup_prefix(id))) {
      store->abort_unfinished(upload);
    }
  } catch (const Error& error) {  // Described in the header.
    if (error.kind() == ErrorKind::interrupted) throw;
    log::warning(log::kBackupComponent, "unfinished uploads of backup {} of server {} stay: {}",
                 id.value, server.name(), error.describe());
  }
}

void abort_old_wal_uploads(const server::Server& server) {
  constexpr std::int64_t kAge = std::chrono::microseconds(object_store::kLeftoverAge).count();
  try {
    const auto store = server.find_bucket(server::ObjectsOf::wal);
    if (!store) return;
    const auto gone =
        store->remove_leftovers("", {.microseconds = server.clock().now().microseconds - kAge});
    if (gone.empty()) return;
    log::info(log::kBackupComponent, "{} unfinished uploads of WAL of server {} were given up",
              gone.size(), server.name());
  } catch (const Error& error) {  // Described in the header.
    if (error.kind() == ErrorKind::interrupted) throw;
    log::warning(log::kBackupComponent, "unfinished uploads of WAL of server {} stay: {}",
                 server.name(), error.describe());
  }
}

}  // namespace barman::backup
