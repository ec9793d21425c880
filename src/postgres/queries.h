// All questions to a server in SQL, one function each, with a typed answer. Absent privileges or
// objects are told by optionals where status commands go on without them; everything else throws
// (connection.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/timestamp.h"
#include "postgres/connection.h"
#include "postgres/system_id.h"
#include "wal/lsn.h"

namespace barman::postgres {

// Asks the server for a sign of life (IDENTIFY_SYSTEM on a replication session). Throws when the
// session is not usable.
void probe(Connection& connection);

// The second word of version(): "15.20", "16devel", for EnterpriseDB without its last component.
std::string query_version_text(Connection& connection);
bool is_in_recovery(Connection& connection);
SystemId query_system_id(Connection& connection);

// What the server process `pid` does, in the words of pg_stat_activity ("ClientWrite"); "" when the
// user may not see it, nullopt when there is no such process.
std::optional<std::string> find_backend_activity(Connection& connection, int pid);

// What a base backup is at, in the words of pg_stat_progress_basebackup, which are the same in
// every language: nullopt when process `pid` sends none, or the user may not see it.
inline constexpr const char* kWaitsForCheckpoint = "waiting for checkpoint to finish";
inline constexpr const char* kWaitsForArchiving = "waiting for wal archiving to finish";
std::optional<std::string> find_backup_phase(Connection& connection, int pid);

// How long a spread checkpoint takes at most: checkpoint_timeout x checkpoint_completion_target.
double query_checkpoint_seconds(Connection& connection);

// What the user of the session may do (1.6). Each one is true for a superuser.
struct Privileges {
  bool superuser = false;
  bool backup = false;
  bool monitoring = false;
  bool checkpoint = false;
};
Privileges query_privileges(Connection& connection);

// Where WAL is now: on a primary the write position with its file, on a standby the replay
// position without one.
struct WalPosition {
  wal::Lsn lsn;
  std::optional<std::string> wal_name;
  std::optional<std::uint64_t> offset;
  // The server's clock in the zone of its session.
  Timestamp time;
};
WalPosition query_wal_position(Connection& connection);

// The timeline the server is on; in recovery the one up to which it must recover.
wal::TimelineId query_current_timeline(Connection& connection);

// Values as SHOW prints them, if the user may see them.
struct ServerSettings {
  std::optional<std::string> data_directory;
  std::optional<std::string> config_file;
  std::optional<std::string> hba_file;
  std::optional<std::string> ident_file;
  // Files that set something, other than config_file, ordered by name.
  std::vector<std::string> included_files;
  std::optional<std::string> wal_level;
  std::optional<std::string> hot_standby;
  std::optional<std::string> max_wal_senders;
  std::optional<std::string> max_replication_slots;
  std::optional<std::string> data_checksums;
  std::optional<std::string> wal_compression;
  // wal_keep_size, or wal_keep_segments before 13.
  std::optional<std::string> wal_keep;
  std::optional<std::string> archive_mode;
  std::optional<std::string> archive_command;
  std::optional<std::string> synchronous_standby_names;
  // Since 17.
  std::optional<std::string> summarize_wal;
  // Raw values; seconds.
  std::int64_t archive_timeout = 0;
  std::optional<std::int64_t> checkpoint_timeout;
  wal::SegmentSize segment_size;
};
ServerSettings query_settings(Connection& connection);

struct TablespaceRow {
  std::string name;
  std::uint32_t oid = 0;
  std::string location;
  friend bool operator==(const TablespaceRow&, const TablespaceRow&) = default;
};
// Those with a location of their own, by oid.
std::vector<TablespaceRow> list_tablespaces(Connection& connection);

// The size of all tablespaces together.
std::uint64_t query_cluster_size(Connection& connection);

struct ArchiverStatistics {
  std::int64_t archived_count = 0;
  std::optional<std::string> last_archived_wal;
  std::optional<Timestamp> last_archived_time;
  std::int64_t failed_count = 0;
  std::optional<std::string> last_failed_wal;
  std::optional<Timestamp> last_failed_time;
  std::optional<Timestamp> stats_reset;
  bool is_archiving = false;
  std::optional<double> current_archived_wals_per_second;
};
ArchiverStatistics query_archiver_statistics(Connection& connection);

// Primary only. Returns the position of the record.
wal::Lsn create_restore_point(Connection& connection, const std::string& name);

struct WalSwitch {
  // Names for the insert position before and after.
  std::string before;
  std::string after;
  // The segment that is complete now; nullopt when nothing had been written since the last switch.
  std::optional<std::string> closed;
};
WalSwitch switch_wal(Connection& connection, wal::SegmentSize segment_size);

// CHECKPOINT: returns when it is complete.
void request_checkpoint(Connection& connection);

enum class ReplicationClientKind { all, hot_standby, wal_streamer };

// One row of pg_stat_replication. Columns that the user may not see are absent.
struct ReplicationClient {
  std::int64_t pid = 0;
  std::optional<std::string> user;
  std::optional<std::string> application_name;
  std::optional<std::string> client_address;
  std::optional<std::string> client_hostname;
  std::optional<std::int64_t> client_port;
  std::optional<Timestamp> backend_start;
  std::optional<std::string> backend_xmin;
  std::optional<std::string> state;
  std::optional<wal::Lsn> sent_lsn;
  std::optional<wal::Lsn> write_lsn;
  std::optional<wal::Lsn> flush_lsn;
  std::optional<wal::Lsn> replay_lsn;
  std::optional<std::int64_t> sync_priority;
  std::optional<std::string> sync_state;
  std::optional<std::string> slot_name;
};
struct ReplicationStatus {
  bool in_recovery = false;
  // On a standby the last received position.
  std::optional<wal::Lsn> current_lsn;
  std::vector<ReplicationClient> clients;
};
ReplicationStatus query_replication_status(Connection& connection, ReplicationClientKind kind);

struct ReplicationSlot {
  std::string name;
  bool active = false;
  // Absent until the slot reserves WAL.
  std::optional<wal::Lsn> restart_lsn;
  // Since 13: "reserved", "extended", "unreserved", "lost".
  std::optional<std::string> wal_status;
  // Since 13: how much more WAL may be written before it keeps none; absent without a limit, or
  // when that has happened.
  std::optional<std::int64_t> safe_wal_size_bytes = std::nullopt;
  // Since 17: "wal_removed", "idle_timeout".
  std::optional<std::string> invalidation_reason = std::nullopt;
};
// Why the slot keeps no WAL any more, in PostgreSQL's words; nullopt while it does. A slot that was
// invalidated never keeps WAL again, although PostgreSQL 16 and 17 let a receiver go on to use it.
std::optional<std::string> find_slot_loss(const ReplicationSlot& slot);
// Physical slots only.
std::optional<ReplicationSlot> find_replication_slot(Connection& connection,
                                                     const std::string& name);

// By OID.
std::map<std::uint32_t, std::string> query_database_names(Connection& connection);
// Of the database of the session, by the number of the file.
struct RelationName {
  std::string name;  // with the schema
  char kind = ' ';   // as in pg_class
};
std::map<std::uint32_t, RelationName> query_relation_names(Connection& connection);

}  // namespace barman::postgres
