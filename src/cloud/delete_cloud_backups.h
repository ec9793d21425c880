// Deleting backups in a bucket, by hand and by retention policy, and the WAL that nobody needs
// then.
//
// A backup becomes FAILED first ("its deletion has begun"), so that nobody takes half a backup for
// one that can be restored; then its archives go, then its `backup.info`, in requests of their own.
// What was interrupted is seen, and deleted by the next deletion, whatever that was asked for. WAL
// goes last, in one pass over its listing, when no remaining backup needs it.
//
// A backup that says STARTED is being made, or its program was killed. It is dead when something
// else of the server was written kDeadAfter after the last of its objects; who makes a backup
// writes one more often (kSignOfLife). Only the clock of the store counts.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/timestamp.h"
#include "catalogue/backup_id.h"
#include "catalogue/retention.h"
#include "cloud/bucket_names.h"

namespace barman::cloud {

inline constexpr std::chrono::hours kDeadAfter{7 * 24};
inline constexpr std::chrono::hours kSignOfLife{1};

struct CloudDeletionOptions {
  std::uint64_t minimum_redundancy = 0;
  // Nothing is deleted; what would be is told, a line each.
  bool is_dry_run = false;
  std::function<void(const std::string& line)> tell = {};
  // Objects of one request.
  std::size_t batch_size = 1000;
  // A backup that says STARTED, too: it may be running.
  bool takes_started = false;
  // Gives up uploads of objects with this prefix that somebody has left unfinished; may be empty.
  std::function<void(const std::string& prefix)> abort_uploads = {};
  // Why an archive may not be deleted, "" when it may; may be empty.
  std::function<std::string(const std::string& key)> find_lock = {};
};

// Both throw OperationFailed for what is refused, and when something could not be deleted; WAL that
// stays for that reason is a warning of the log. Both delete leftovers, too: dead backups, and
// those whose deletion was interrupted.
void delete_cloud_backup(const CloudCatalogue& catalogue, const catalogue::BackupId& id,
                         const CloudDeletionOptions& options);
void delete_obsolete_cloud_backups(const CloudCatalogue& catalogue,
                                   const catalogue::RetentionRule& rule, Timestamp now,
                                   const CloudDeletionOptions& options);
// Leftovers alone; of WAL nothing goes.
void delete_cloud_leftovers(const CloudCatalogue& catalogue, const CloudDeletionOptions& options);

}  // namespace barman::cloud
