// One server in a line, and the time that its backups and its WAL cover: what the tables of status
// and list-backups show. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/timestamp.h"
#include "catalogue/backup_info.h"
#include "catalogue/catalogue.h"
#include "config/server_config.h"
#include "facts/server_facts.h"
#include "facts/server_state.h"
#include "wal_archive/wal_statistics.h"

namespace barman::facts {

// From the end of the first usable backup to the last archived WAL. Gaps of the WAL are not looked
// for here; that is what catalogue-check does.
struct RecoverySpan {
  Timestamp begin;
  Timestamp end;
  // Ends of the usable backups in between.
  std::vector<Timestamp> backups;
};

struct ServerSummary {
  std::string name;
  ServerState state = ServerState::active;
  bool is_passive = false;
  // Whether PostgreSQL was asked; without a version it did not answer.
  bool has_live_values = false;
  std::optional<std::string> postgres_version;
  // How WAL comes in. nullopt: this way is not configured.
  std::optional<bool> is_receiver_running;
  std::optional<bool> is_archiving;
  std::uint64_t backup_count = 0;
  std::optional<Timestamp> last_backup_end;
  // Full backups, and how many there must be.
  std::uint64_t redundancy = 0;
  // nullopt: the setting is not understood.
  std::optional<std::uint64_t> minimum_redundancy = 0;
  std::optional<RecoverySpan> span;
};

// The same lines; the time of the newest WAL file among them, in seconds since the epoch, is put
// into `newest_mtime`, which must outlive the result.
wal_archive::WalLines watch_newest(wal_archive::WalLines lines,
                                   std::optional<double>& newest_mtime);

// `backups` ascending by ID. A backup that is kept standalone begins no window: the WAL after it
// may be gone. nullopt without a usable backup.
std::optional<RecoverySpan> find_recovery_span(const std::vector<catalogue::BackupInfo>& backups,
                                               const catalogue::Annotations& annotations,
                                               std::optional<double> newest_wal_mtime);

// Without the span. `facts` for servers that have live values.
ServerSummary summarize_server(const config::ServerConfig& config,
                               const std::optional<ServerFacts>& facts,
                               const std::vector<catalogue::BackupInfo>& backups,
                               bool is_receiver_running);

}  // namespace barman::facts
