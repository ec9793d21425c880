// Backups whose process died before they were complete.
#pragma once

#include "base/progress.h"
#include "catalogue/catalogue.h"
#include "server/server.h"

namespace barman::backup {

// Marks backups FAILED that are EMPTY or STARTED although nobody holds the backup lock. The caller
// holds it; `list` is the catalogue as it is under it.
void fail_abandoned_backups(const server::Server& server, const catalogue::BackupList& list,
                            Messages& messages);

// Gives up what a dead process has left half uploaded of a backup in a bucket; nothing for others.
// A failure is a warning of the log: what is left costs space, and goes when the backup is deleted.
void abort_uploads(const server::Server& server, const catalogue::BackupId& id);

// The same for WAL that lies in a bucket: uploads that are older than a day.
void abort_old_wal_uploads(const server::Server& server);
// The same for who comes every minute: once a day, noted by the time of `.uploads-looked-at` in the
// backup directory; at most a thousand of them, the others a minute later. Those of the WAL of a
// server whose backups alone lie in the bucket, too, where barman-cloud-wal-archive puts it. While
// WAL is being archived here, those of a week only.
void abort_old_wal_uploads_daily(const server::Server& server);

}  // namespace barman::backup
