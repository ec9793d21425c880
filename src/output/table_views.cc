#include "output/table_views.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/shown_time.h"
#include "base/text.h"
#include "output/check_report.h"
#include "output/size_text.h"

namespace barman::output {
namespace {

using catalogue::BackupStatus;
using catalogue::RetentionStatus;

constexpr std::size_t kWidestBar = 120;
constexpr std::int64_t kMicroseconds = 1'000'000;

std::int64_t seconds_between(Timestamp begin, Timestamp end) {
  return (end.microseconds - begin.microseconds) / kMicroseconds;
}

Color status_color(BackupStatus status) {
  if (status == BackupStatus::done) return Color::green;
  return status == BackupStatus::failed ? Color::red : Color::yellow;
}

// What stands behind the status, and the color of both.
std::pair<const char*, Color> remark_of(const BackupListRow& row) {
  if (!row.is_restorable) return {", not restorable", Color::red};
  if (row.is_abandoned) return {", abandoned", Color::yellow};
  return {"", status_color(row.status)};
}

TableCell retention_cell(RetentionStatus status) {
  if (status == RetentionStatus::none) return {};
  const bool is_obsolete =
      status == RetentionStatus::obsolete || status == RetentionStatus::potentially_obsolete;
  return {.text = std::string(catalogue::retention_text(status)),
          .color = is_obsolete ? std::optional(Color::yellow) : std::nullopt};
}

std::vector<TableCell> backup_cells(std::string_view server, const BackupListRow& row,
                                    Timestamp now) {
  const auto [remark, color] = remark_of(row);
  std::vector<TableCell> cells = {
      {.text = std::string(server)},
      {.text = row.id.value},
      {.text = printable(row.name.value_or(""))},
      {.text = std::string(catalogue::type_text(row.type))},
      {.text = std::string(catalogue::status_text(row.status)) + remark, .color = color}};
  if (row.sizes) {
    const std::optional<Timestamp>& end = row.sizes->end_time;
    cells.push_back({.text = end ? shown_second(*end) : "unknown"});
    cells.push_back({.text = end ? short_age(seconds_between(*end, now)) : ""});
    const std::uint64_t own_wal = row.sizes->own_wal_size_bytes;
    cells.push_back({.text = size_text(row.sizes->size_bytes - own_wal)});
    cells.push_back({.text = size_text(own_wal)});
    cells.push_back({.text = size_text(row.sizes->wal_size_bytes)});
  } else {
    cells.resize(cells.size() + 5);
  }
  cells.push_back(retention_cell(row.retention));
  return cells;
}

// The two dates under the ends of a bar of this width.
std::vector<std::string> bar_ends(const facts::RecoverySpan& span, std::size_t width) {
  const std::string begin = shown_second(span.begin);
  const std::string end = shown_second(span.end);
  if (begin.size() + end.size() + 2 > width) return {begin + " to", end};
  return {begin + std::string(width - begin.size() - end.size(), ' ') + end};
}

// The cells of the bar that have a mark.
std::vector<bool> marked_cells(const facts::RecoverySpan& span, std::size_t width) {
  std::vector<bool> marks(width, false);
  const double length = static_cast<double>(span.end.microseconds - span.begin.microseconds);
  for (const Timestamp backup : span.backups) {
    const double offset = static_cast<double>(backup.microseconds - span.begin.microseconds);
    const double share = length > 0 ? std::clamp(offset / length, 0.0, 1.0) : 0.0;
    marks.at(static_cast<std::size_t>(share * static_cast<double>(width - 1) + 0.5)) = true;
  }
  return marks;
}

TableCell postgres_cell(const facts::ServerSummary& server) {
  if (!server.has_live_values) return {.text = "-"};
  if (!server.postgres_version) return {.text = "unreachable", .color = Color::red};
  return {.text = printable(*server.postgres_version)};
}

TableCell wal_cell(const facts::ServerSummary& server) {
  if (server.is_passive) return {.text = "passive"};
  std::vector<std::string> ways;
  bool is_broken = false;
  if (server.is_receiver_running) {
    ways.emplace_back(*server.is_receiver_running ? "receiver" : "no receiver");
    is_broken = !*server.is_receiver_running;
  }
  if (server.is_archiving) {
    ways.emplace_back(*server.is_archiving ? "archiving" : "not archiving");
    is_broken = is_broken || !*server.is_archiving;
  }
  if (ways.empty()) return {.text = "-"};
  return {.text = join(ways, ", "), .color = is_broken ? Color::red : Color::green};
}

std::vector<TableCell> summary_cells(const facts::ServerSummary& server, Timestamp now) {
  const bool is_redundant =
      server.minimum_redundancy && server.redundancy >= *server.minimum_redundancy;
  const std::string minimum =
      server.minimum_redundancy ? fmt::to_string(*server.minimum_redundancy) : "?";
  return {{.text = server_title(server.name, server.state)},
          postgres_cell(server),
          wal_cell(server),
          {.text = fmt::to_string(server.backup_count)},
          {.text = server.last_backup_end
                       ? short_age(seconds_between(*server.last_backup_end, now)) + " ago"
                       : "never",
           .color = server.last_backup_end ? std::nullopt : std::optional(Color::yellow)},
          {.text = fmt::format("{}/{}", server.redundancy, minimum),
           .color = is_redundant ? Color::green : Color::red},
          server.span
              ? TableCell{.text = short_age(seconds_between(server.span->begin, server.span->end))}
              : TableCell{.text = "none", .color = Color::yellow}};
}

}  // namespace

std::string short_age(std::int64_t seconds) {
  constexpr std::int64_t kMinute = 60;
  constexpr std::int64_t kHour = 60 * kMinute;
  constexpr std::int64_t kDay = 24 * kHour;
  if (seconds >= kDay) return fmt::format("{}d {}h", seconds / kDay, seconds % kDay / kHour);
  if (seconds >= kHour) return fmt::format("{}h {}m", seconds / kHour, seconds % kHour / kMinute);
  if (seconds >= kMinute) return fmt::format("{}m", seconds / kMinute);
  return fmt::format("{}s", std::max<std::int64_t>(seconds, 0));
}

std::vector<std::string> recovery_bar(const std::optional<facts::RecoverySpan>& span,
                                      const TableStyle& style) {
  if (!span) {
    return {"Recovery window: " + style.paint("none, there is no usable backup", Color::yellow)};
  }
  const std::string_view mark = style.terminal.has_utf8 ? "●" : "*";
  const std::string_view line = style.terminal.has_utf8 ? "━" : "=";
  const std::size_t width = std::clamp<std::size_t>(style.terminal.width, 1, kWidestBar);
  std::string bar;
  for (const bool is_mark : marked_cells(*span, width)) bar += is_mark ? mark : line;
  std::vector<std::string> lines = {
      fmt::format("Recovery window: {} ({} backup{}, {} each)",
                  short_age(seconds_between(span->begin, span->end)), span->backups.size(),
                  span->backups.size() == 1 ? "" : "s", mark),
      style.paint(bar, Color::green)};
  for (std::string& text : bar_ends(*span, width)) lines.push_back(std::move(text));
  // A bar looks like a promise.
  lines.emplace_back("Gaps in the WAL are not shown; see catalogue-check.");
  return lines;
}

std::vector<std::string> backup_table(std::string_view server,
                                      const std::vector<BackupListRow>& rows,
                                      const std::optional<facts::RecoverySpan>& span,
                                      const TableStyle& style) {
  if (rows.empty()) return {fmt::format("Server {}: no backups", server)};
  // Size is what `backup` and show-backup call the size; with the WAL of its own it is what the
  // lines of list-backups do. An ID tells nearly when the backup ended, and the server is known to
  // whoever has named it.
  TextTable table = {.columns = {{.title = "Server", .dispensability = 8},
                                 {.title = "ID"},
                                 {.title = "Name", .dispensability = 3},
                                 {.title = "Type", .dispensability = 4},
                                 {.title = "Status"},
                                 {.title = "End", .dispensability = 7},
                                 {.title = "Age", .align = Align::right},
                                 {.title = "Size", .align = Align::right, .dispensability = 2},
                                 {.title = "Own WAL", .align = Align::right, .dispensability = 6},
                                 {.title = "Later WAL", .align = Align::right, .dispensability = 5},
                                 {.title = "Retention", .dispensability = 1}},
                     .rows = {}};
  for (const BackupListRow& row : rows) table.rows.push_back(backup_cells(server, row, style.now));
  std::vector<std::string> lines = format_table(table, style.terminal.width, style.paint);
  lines.emplace_back();
  for (std::string& line : recovery_bar(span, style)) lines.push_back(std::move(line));
  return lines;
}

std::vector<std::string> status_table(const std::vector<facts::ServerSummary>& servers,
                                      const TableStyle& style) {
  TextTable table = {
      .columns = {{.title = "Server"},
                  {.title = "PostgreSQL", .dispensability = 3},
                  {.title = "WAL"},
                  {.title = "Backups", .align = Align::right, .dispensability = 4},
                  {.title = "Last backup", .align = Align::right},
                  {.title = "Redundancy", .align = Align::right, .dispensability = 1},
                  {.title = "Window", .align = Align::right, .dispensability = 2}},
      .rows = {}};
  for (const facts::ServerSummary& server : servers) {
    table.rows.push_back(summary_cells(server, style.now));
  }
  return format_table(table, style.terminal.width, style.paint);
}

}  // namespace barman::output
