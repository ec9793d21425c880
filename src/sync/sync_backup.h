// Copies a backup of the primary node.
//
// The backup is SYNCING in the local catalogue while its files come, and gets the status that it
// has on the primary when all of them are durable and have proven to be that backup
// (backup_copy.h). A copy that failed or was killed goes on with what has arrived.
#pragma once

#include "base/fd.h"
#include "base/progress.h"
#include "catalogue/retention.h"
#include "server/server.h"
#include "sync/primary_info.h"

namespace barman::sync {

enum class SyncVerdict {
  copy,
  synced,      // complete here and there
  local_only,  // complete here, gone on the primary
  purge,       // incomplete here, gone on the primary
  absent,      // neither here nor there
  obsolete,    // the local retention policy would delete it, or what it builds on, at once
  orphan,      // what it builds on is not on the primary
};

// Pure. `local` ascending; `policy` nullptr: there is none that works by itself.
SyncVerdict judge_backup(const catalogue::BackupId& id, const PrimaryInfo& primary,
                         const std::vector<catalogue::BackupInfo>& local,
                         const catalogue::RetentionInput* policy);
// What it is judged by: this server's catalogue, read once.
struct LocalBackups {
  std::vector<catalogue::BackupInfo> backups;  // ascending
  std::optional<catalogue::RetentionInput> policy;

  SyncVerdict judge(const catalogue::BackupId& id, const PrimaryInfo& primary) const {
    return judge_backup(id, primary, backups, policy ? &*policy : nullptr);
  }
  // A copy that was begun and that the primary cannot complete any more.
  bool is_left_over(const catalogue::BackupInfo& backup, const PrimaryInfo& primary) const;
};
LocalBackups gather_local_backups(const server::Server& server);

// primary.info; throws `conflict` for servers that are not passive, `not_found` when cron has not
// asked the primary yet.
Fd open_primary_info(const server::Server& server);

// Does what the verdict asks for. A failed transfer leaves the backup FAILED and throws. Takes the
// lock of this synchronisation; throws `conflict` when another process holds it.
void sync_backup(const server::Server& server, const catalogue::BackupId& id, Messages& messages,
                 Progress& progress);

// The list of children of a backup that is here, as the primary has it; nothing when it is busy.
void refresh_children(const server::Server& server, const PrimaryInfo& primary,
                      const catalogue::BackupId& id);

}  // namespace barman::sync
