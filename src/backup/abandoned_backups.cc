#include "backup/abandoned_backups.h"

#include "backup/free_space.h"

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
    messages.warning("Backup " + info.id.value + " of server " + server.name() +
                     " was abandoned by its process and is now marked as FAILED");
  }
}

}  // namespace barman::backup
