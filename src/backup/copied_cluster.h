// What the backups that copy files have in common, whatever copies them: start and stop by the
// low-level API, the facts of the cluster between them, and the statistics of the copy.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backup/backup_source.h"
#include "backup/copied_facts.h"
#include "backup/held_session.h"
#include "catalogue/backup_info.h"
#include "postgres/connection.h"
#include "postgres/queries.h"
#include "server/server.h"
#include "stored/backup_store.h"
#include "wal/lsn.h"

namespace barman::backup {

// Of a data directory: copied last.
inline constexpr const char* kControlFileName = "global/pg_control";
// Of a data directory while an exclusive backup runs, and of every backup.
inline constexpr const char* kLabelFileName = "backup_label";

// Seconds that one tablespace, the data directory or a single file has taken.
struct CopiedItem {
  std::string label;
  double analysis_seconds = 0;
  double copy_seconds = 0;
  // All workers together.
  double serial_seconds = 0;
};

// What was copied by one worker, without an analysis, since then.
CopiedItem item_since(std::string label, std::chrono::steady_clock::time_point begun);

// The field `copy_stats`.
catalogue::PythonDict copy_stats(const std::vector<CopiedItem>& items, double total_seconds,
                                 std::size_t worker_count);

// Calls `step`. When it fails, tells what users of these methods read first.
void with_failure_told(BackupJob& job, const std::function<void()>& step);

// Why a data directory with this `postmaster.pid` is not that of the server that answers.
std::optional<std::string> find_other_postmaster(const std::optional<std::string>& file,
                                                 postgres::Connection& connection);
// As the server tells. Throws when it does not.
std::string require_data_directory_name(postgres::Connection& connection);

// The exclusive backup of this server, taken by us, in whose mode PostgreSQL is (until 14): it
// stays in it when the process is killed. nullopt also when the user of conninfo may not see it.
std::optional<catalogue::BackupId> find_exclusive_backup(const server::Server& server,
                                                         postgres::Connection& connection);

class CopiedCluster {
 public:
  // Both arguments must live longer.
  CopiedCluster(const server::Server& server, const BackupRequest& request)
      : server_(server), request_(request) {}
  // Ends an exclusive backup that was not ended.
  ~CopiedCluster();
  CopiedCluster(const CopiedCluster&) = delete;
  CopiedCluster& operator=(const CopiedCluster&) = delete;

  SourceTitle title() const;
  bool is_exclusive() const { return server_.config().backup_options.exclusive_backup; }
  // Asks the server. Throws `config` when it cannot be backed up so.
  catalogue::Identity require_possible(postgres::Connection& connection) const;

  // Looks whether the files are those of the server that answers; throws when they are not.
  using RequirePlace = std::function<void(postgres::Connection& connection)>;
  void begin(BackupJob& job, const RequirePlace& require_place);
  // Throws when the backup on the server has ended, as far as this can be noticed.
  void require_alive() const {
    if (session_) session_->require_alive();
  }
  // Writes `backup_label` into the data directory; that of an exclusive backup is there already.
  void end(BackupJob& job);
  // The same where the files lie elsewhere, for concurrent backups.
  using PutLabel = std::function<void(const std::string& label)>;
  void end(BackupJob& job, const PutLabel& put_label);

  const CopiedFacts& facts() const { return facts_; }
  const std::string& data_directory() const { return facts_.data_directory(); }
  // Whether there is still one with this OID.
  bool has_tablespace(std::uint32_t oid) const;
  // Configuration files outside of the data directory are copied, but not what they include.
  void warn_of_included_files(const BackupJob& job) const;
  // Tells that the copy begins. What an earlier attempt has left of the backup goes, and the
  // directories of its tablespaces are made.
  void begin_copy(const BackupJob& job, const std::string& method,
                  const stored::BackupStore& store) const;
  // Nothing of the server is in the location of a tablespace, "on this host" or "there". Throws
  // unless it was dropped since the backup has begun.
  void require_dropped(const catalogue::BackupInfo& info, const catalogue::Tablespace& tablespace,
                       const std::string& where) const;

 private:
  const server::Server& server_;
  const BackupRequest& request_;
  CopiedFacts facts_;
  // Of a concurrent backup.
  std::optional<HeldSession> session_;
  bool is_running_exclusively_ = false;

  void end_abandoned(const BackupJob& job, postgres::Connection& connection) const;
  void stop(BackupJob& job, postgres::Connection& connection);
  std::string stop_on_server(BackupJob& job, postgres::Connection& connection,
                             const std::string& exclusive_label);
  void wait_for_wal(BackupJob& job, postgres::Connection& connection) const;
};

}  // namespace barman::backup
