// The WAL of one backup: is it all archived, and, for the first backup of a server, what older WAL
// may go.
#pragma once

#include <chrono>
#include <optional>

#include "base/progress.h"
#include "catalogue/backup_info.h"
#include "catalogue/catalogue.h"
#include "server/server.h"
#include "wal_archive/wal_check.h"

namespace barman::wal_transfer {

enum class BackupWals {
  busy,       // another process works on this backup (told)
  unchanged,  // the backup is still running
  waiting,
  done,
  failed,  // marked as FAILED; the reason was reported as an error
};

// A segment that is missing while later ones are archived is waited for this long: WAL comes by
// several ways, and what has failed is sent again. One that comes later still takes the FAILED
// back.
inline constexpr std::chrono::minutes kGapPatience{10};

// What is archived, and what waits to be, or may still be sent.
wal_archive::ArchiveLookup look_for_wals(const server::Server& server,
                                         wal::SegmentSize segment_size);

// The backup that cron has checked: the oldest one that waits for WAL and whose verdict is there;
// one that failed for WAL that has come since; else the oldest that waits.
std::optional<catalogue::BackupId> choose_for_wal_check(const server::Server& server,
                                                        const catalogue::BackupList& list);

// Looks into the archive and saves the status found, under the lock of the backup. Throws for a
// backup that is unknown, unreadable or failed already (unless for WAL that is there now).
BackupWals check_backup_wals(const server::Server& server, const catalogue::BackupId& id,
                             Messages& messages);

// When no usable backup is older than `backup`: tells so and removes the WAL before begin_wal, or
// nothing with worm_mode or without begin_wal. The caller holds the backup lock of the server.
void remove_wals_before_first_backup(const server::Server& server,
                                     const catalogue::BackupInfo& backup, Messages& messages);

// The same once more, without a word but in the log: WAL from before the backup that has been
// archived since. Nothing when the backup is not the first, has failed, or is gone.
void remove_late_wals_before_first_backup(const server::Server& server,
                                          const catalogue::BackupInfo& backup);

}  // namespace barman::wal_transfer
