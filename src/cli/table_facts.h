// What the table views of list-backups and status need beside the facts of their usual output.
#pragma once

#include <optional>
#include <vector>

#include "catalogue/backup_info.h"
#include "catalogue/catalogue.h"
#include "check/server_facts.h"
#include "cli/command_context.h"
#include "config/server_config.h"
#include "output/table_views.h"
#include "wal_archive/wal_statistics.h"

namespace barman::cli {

// How to show tables; nullopt when the usual output is wanted: without --table, in JSON, or where
// stdout is no terminal.
std::optional<output::TableStyle> find_table_style(const CommandContext& context);

// The same lines; the time of the newest WAL file among them, in seconds since the epoch, is put
// into `newest_mtime`, which must outlive the result.
wal_archive::WalLines watch_newest(wal_archive::WalLines lines,
                                   std::optional<double>& newest_mtime);

// `backups` ascending by ID. A backup that is kept standalone begins no window: the WAL after it
// may be gone. nullopt without a usable backup.
std::optional<output::RecoverySpan> find_recovery_span(
    const std::vector<catalogue::BackupInfo>& backups, const catalogue::Annotations& annotations,
    std::optional<double> newest_wal_mtime);

// Without the window. `facts` for servers that have live values.
output::ServerSummary summarize_server(const config::ServerConfig& config,
                                       const std::optional<check::ServerFacts>& facts,
                                       const std::vector<catalogue::BackupInfo>& backups,
                                       bool is_receiver_running);

}  // namespace barman::cli
