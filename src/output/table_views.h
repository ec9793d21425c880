// The views for a terminal that `list-backups --table` and `status --table` show instead of their
// lines. Pure: from facts to lines of text. Times are shown in the zone of this host.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/timestamp.h"
#include "facts/server_summary.h"
#include "output/backup_views.h"
#include "output/terminal.h"
#include "output/text_table.h"

namespace barman::output {

struct TableStyle {
  Terminal terminal;
  // Ages end here.
  Timestamp now;
  Painter paint;
};

// "2d 4h", "12m": the two largest units; "0s" for what has not begun.
std::string short_age(std::int64_t seconds);

// The span as a bar with a mark for each backup, and its two ends below.
std::vector<std::string> recovery_bar(const std::optional<facts::RecoverySpan>& span,
                                      const TableStyle& style);

// `rows` newest first.
std::vector<std::string> backup_table(std::string_view server,
                                      const std::vector<BackupListRow>& rows,
                                      const std::optional<facts::RecoverySpan>& span,
                                      const TableStyle& style);

// One row a server.
std::vector<std::string> status_table(const std::vector<facts::ServerSummary>& servers,
                                      const TableStyle& style);

}  // namespace barman::output
