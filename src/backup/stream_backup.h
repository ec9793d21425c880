// The flow of a base backup with method `postgres`.
//
// What is durable when: the metadata says EMPTY before anything is done, STARTED while files
// arrive; WAITING_FOR_WALS is written only after every file was compared with the manifest and
// fsynced, DONE only when all WAL that the backup needs is in the archive. A backup that fails in
// any way is marked FAILED and keeps its files until it is deleted; one whose process died stays
// EMPTY or STARTED until the next backup finds it and marks it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/progress.h"
#include "catalogue/backup_info.h"
#include "replication/base_backup_stream.h"
#include "server/server.h"

namespace barman::backup {

enum class WaitForWal { no, yes };

struct BackupRequest {
  std::optional<std::string> name;
  // Take an incremental backup that builds on this one; see require_parent().
  std::optional<catalogue::BackupInfo> parent;
  WaitForWal wait = WaitForWal::no;
  // Zero = for ever.
  std::chrono::seconds wait_timeout{0};
  replication::CheckpointMode checkpoint = replication::CheckpointMode::spread;
  std::int64_t retry_times = 0;
  std::chrono::seconds retry_sleep{30};
  std::int64_t bandwidth_limit_kbps = 0;
};

// Throws `config` naming the option when the server's settings ask for a backup that this flow does
// not make. Called before anything is touched.
void require_supported(const config::ServerConfig& config);
// Of these the method and the destination only.
void require_supported_method(const config::ServerConfig& config);

// Throws unless an incremental backup of the server can build on `parent`. Asks PostgreSQL.
void require_parent(const server::Server& server, const catalogue::BackupInfo& parent);

// Returns the finished backup (DONE or WAITING_FOR_WALS), or the FAILED one after reporting why.
// Throws only for what happens before a backup exists: `conflict` when another backup runs.
catalogue::BackupInfo stream_backup(const server::Server& server, const BackupRequest& request,
                                    Messages& messages, Progress& progress);

// Marks backups FAILED that are EMPTY or STARTED although nobody holds the backup lock. The caller
// holds it; `list` is the catalogue as it is under it.
void fail_abandoned_backups(const server::Server& server, const catalogue::BackupList& list,
                            Messages& messages);

}  // namespace barman::backup
