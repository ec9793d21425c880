// Where a backup comes from: what the values of `backup_method` differ by. A source says whether a
// backup is possible, begins it, copies the files into the catalogue, and ends it.
//
//   require_possible()            before anything is touched: which cluster answers
//   begin(job)                    where the backup begins, what is known of the cluster
//   copy(job)                     every file is in the catalogue, whole and durable
//   end(job)                      where the backup ends; the WAL up to there is on its way
//
// Everything else (locks, status, hooks, WAL, sizes, what happens after a failure) is the run of a
// backup, take_backup.h, and the same for every source. A source belongs to one backup and may keep
// what it learns from one step to the next. When a step throws, no other follows: the destructor
// ends what the source has begun on the server.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backup/known_digests.h"
#include "base/progress.h"
#include "base/throttle.h"
#include "catalogue/backup_info.h"
#include "catalogue/catalogue.h"
#include "config/server_config.h"
#include "replication/base_backup_stream.h"
#include "server/server.h"

namespace barman::backup {

enum class WaitForWal { no, yes };
// Whether a backup whose source makes no manifest gets one at its end.
enum class WriteManifest { no, yes };

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
  TransferLimit bandwidth_limit;
  // Of sources that copy files.
  config::ReuseBackup reuse = config::ReuseBackup::off;
  WriteManifest manifest = WriteManifest::no;
  // As the user has said, and as it is.
  std::int64_t jobs = 1;
  // Of rsync: at most so many starts in so many seconds; as configured when not set.
  std::optional<std::int64_t> jobs_start_batch_size;
  std::optional<std::int64_t> jobs_start_batch_period;
  std::size_t worker_count = 2;
  std::chrono::seconds keepalive_interval{60};
};

// One backup that is being made, for all who work on it. All references must live longer.
struct BackupJob {
  const server::Server& server;
  const BackupRequest& request;
  Messages& messages;
  Progress& progress;
  // The metadata as they are; save() makes them durable.
  catalogue::BackupInfo info;
  // What is being done, for the message of a failure: "failure <action> (…)".
  std::string action = "starting backup";
  // What sources that copy files leave for the manifest, when there will be one: digests of what
  // they have had in hand, and the backup whose files this one shares.
  KnownDigests digests = {};
  std::optional<catalogue::BackupId> shares_with = {};

  KnownDigests* digests_for_manifest() {
    return request.manifest == WriteManifest::yes ? &digests : nullptr;
  }
  void save() const { server.catalogue().save(info); }
};

// What a source is called.
struct SourceTitle {
  // The field `mode`, and "Starting backup using <mode> method".
  std::string mode;
  // What is told when the files are here, before end().
  std::string finalising;
  // The option that leads to the cluster.
  std::string connection_option;
  // Whether `backup_manifest` comes with the files.
  bool has_manifest = true;
};

// Pages with wrong checksums: the backup holds them as they are.
struct PageDamage {
  // "PostgreSQL found corrupt pages while it sent".
  std::string finder;
  std::string details;
};

struct CopyFacts {
  // The field `copy_stats`.
  catalogue::PythonDict stats;
  std::optional<PageDamage> page_damage;
  // What the server warned of, in its language. With page_damage they are about that.
  std::vector<std::string> warnings;
  // Symbolic links that lead nowhere: they are not in the backup, and nor is what they led to.
  std::vector<std::string> dead_links = {};
};

class BackupSource {
 public:
  virtual ~BackupSource() = default;

  virtual SourceTitle title() const = 0;
  // Asks the server. Throws `config` when this backup cannot be made of it.
  virtual catalogue::Identity require_possible() = 0;
  // Sets begin_time, begin_xlog, begin_wal, begin_offset and the facts of the cluster.
  virtual void begin(BackupJob& job) = 0;
  // Retries what is worth it. Throws when a file is missing or not what it should be.
  virtual CopyFacts copy(BackupJob& job) = 0;
  // Sets timeline, backup_label, compression, encryption, and end_time to end_offset.
  virtual void end(BackupJob& job) = 0;
};

}  // namespace barman::backup
