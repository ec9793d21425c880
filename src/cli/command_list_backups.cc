#include <algorithm>
#include <utility>

#include "catalogue/catalogue.h"
#include "catalogue/chain_doubt.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/table_style.h"
#include "facts/backup_facts.h"
#include "facts/server_summary.h"
#include "output/backup_views.h"
#include "wal_archive/read_branches.h"

namespace barman::cli {
namespace {

using catalogue::BackupInfo;
using wal_archive::WalStatistics;

output::BackupListRow make_row(const BackupInfo& backup, const WalStatistics& wal) {
  output::BackupListRow row;
  row.id = backup.id;
  row.name = backup.backup_name;
  row.type = backup.type();
  row.status = backup.status;
  if (backup.is_copy_done()) {
    row.sizes = {.end_time = backup.end_time ? backup.end_time : backup.begin_time,
                 .size_bytes = static_cast<std::uint64_t>(
                                   std::max<std::int64_t>(backup.size.value_or(0), 0)) +
                               wal.wal_size,
                 .own_wal_size_bytes = wal.wal_size,
                 .wal_size_bytes = wal.wal_until_next_size};
  }
  return row;
}

// Without a usable backup no WAL is counted, so the index of a new server is not looked for.
std::vector<WalStatistics> count_wal(const server::Server& server,
                                     const std::vector<BackupInfo>& backups,
                                     std::optional<double>& newest_wal_mtime) {
  const bool has_usable = std::any_of(backups.begin(), backups.end(), [](const BackupInfo& backup) {
    return backup.is_copy_done();
  });
  if (!has_usable) return std::vector<WalStatistics>(backups.size());
  return wal_archive::wal_statistics(
      backups, facts::watch_newest(facts::wal_lines(server), newest_wal_mtime));
}

std::vector<output::BackupListRow> list_rows(const server::Server& server,
                                             const catalogue::KnownBackups& known,
                                             std::optional<double>& newest_wal_mtime) {
  const std::vector<BackupInfo>& backups = known.list.backups;
  const std::vector<WalStatistics> wal = count_wal(server, backups, newest_wal_mtime);
  const std::optional<facts::RetentionStatuses> retention =
      facts::list_retention_statuses(server, backups, known.annotations);
  std::vector<output::BackupListRow> rows;
  rows.reserve(backups.size());
  for (std::size_t i = backups.size(); i-- > 0;) {
    output::BackupListRow row = make_row(backups[i], wal[i]);
    if (retention) {
      const auto found = retention->find(row.id);
      if (found != retention->end()) row.retention = found->second;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

// A backup whose deletion has begun lacks files: nobody must choose it.
void leave_out_deleted(catalogue::KnownBackups& known) {
  std::erase_if(known.list.backups, [&](const BackupInfo& backup) {
    return known.annotations.being_deleted.contains(backup.id);
  });
}

std::vector<output::BackupListRow> list_ids(const std::vector<BackupInfo>& backups) {
  std::vector<output::BackupListRow> rows;
  for (std::size_t i = backups.size(); i-- > 0;) rows.push_back({.id = backups[i].id});
  return rows;
}

void show_table(CommandContext& context, const server::Server& server,
                const catalogue::KnownBackups& known, const output::TableStyle& style) {
  const std::vector<BackupInfo>& backups = known.list.backups;
  std::optional<double> newest_wal_mtime;
  std::vector<output::BackupListRow> rows = list_rows(server, known, newest_wal_mtime);
  const catalogue::Branches branches = wal_archive::read_branches(server, backups);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    output::BackupListRow& row = rows[i];
    const BackupInfo& backup = backups[backups.size() - 1 - i];
    row.is_abandoned = backup.is_copy_done() && branches.standing_of(backup).is_abandoned();
    row.is_restorable = !backup.is_copy_done() ||
                        catalogue::find_chain_doubt(backups, known.annotations, backup).empty();
    if (row.sizes && row.sizes->end_time) row.sizes->end_time = in_local_zone(*row.sizes->end_time);
  }
  const auto span = facts::find_recovery_span(backups, known.annotations, newest_wal_mtime);
  for (const std::string& line : output::backup_table(server.name(), rows, span, style)) {
    context.reporter.result_line(line);
  }
}

}  // namespace

void run_list_backups(CommandContext& context) {
  const std::optional<output::TableStyle> style = find_table_style(context);
  bool is_first = true;
  for_each_server(context, [&](const config::ServerConfig& config) {
    const server::Server server = make_server(context, config);
    catalogue::KnownBackups known = facts::load_and_warn(context.reporter, server);
    leave_out_deleted(known);
    if (context.arguments.is_set("minimal")) {
      output::write_backup_list(context.reporter, config.name, list_ids(known.list.backups),
                                output::ListStyle::minimal);
      return;
    }
    if (style) {
      if (!std::exchange(is_first, false)) context.reporter.result_line("");
      show_table(context, server, known, *style);
      return;
    }
    std::optional<double> newest_wal_mtime;
    output::write_backup_list(context.reporter, config.name,
                              list_rows(server, known, newest_wal_mtime), output::ListStyle::full);
  });
}

}  // namespace barman::cli
