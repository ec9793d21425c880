// The views for a terminal that `list-backups --table` and `status --table` show instead of their
// lines. Pure: from facts to lines of text. Times are shown in their own offset.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/timestamp.h"
#include "output/backup_views.h"
#include "output/check_report.h"
#include "output/terminal.h"
#include "output/text_table.h"

namespace barman::output {

struct TableStyle {
  Terminal terminal;
  // Ages end here.
  Timestamp now;
  Painter paint;
};

// From the end of the first usable backup to the last archived WAL. Gaps of the WAL are not looked
// for here; that is what catalogue-check does.
struct RecoverySpan {
  Timestamp begin;
  Timestamp end;
  // Ends of the usable backups in between.
  std::vector<Timestamp> backups;
};

// "2d 4h", "12m": the two largest units; "0s" for what has not begun.
std::string short_age(std::int64_t seconds);

// The span as a bar with a mark for each backup, and its two ends below.
std::vector<std::string> recovery_bar(const std::optional<RecoverySpan>& span,
                                      const TableStyle& style);

// `rows` newest first.
std::vector<std::string> backup_table(std::string_view server,
                                      const std::vector<BackupListRow>& rows,
                                      const std::optional<RecoverySpan>& span,
                                      const TableStyle& style);

// One server of `status --table`.
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
  std::uint64_t minimum_redundancy = 0;
  std::optional<RecoverySpan> span;
};

// One row a server.
std::vector<std::string> status_table(const std::vector<ServerSummary>& servers,
                                      const TableStyle& style);

}  // namespace barman::output
