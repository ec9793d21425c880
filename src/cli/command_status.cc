#include "base/text.h"
#include "check/receiver.h"
#include "check/server_facts.h"
#include "cli/backup_facts.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/status_rows.h"
#include "cli/table_facts.h"
#include "wal_archive/read_branches.h"

namespace barman::cli {
namespace {

using catalogue::BackupInfo;

std::optional<check::ServerFacts> gather_facts(CommandContext& context,
                                               const config::ServerConfig& config,
                                               const server::Server& server) {
  if (!check::has_live_values(config)) return std::nullopt;
  if (!config.conninfo) {
    for (const std::string& text : config.messages) context.reporter.error(text);
  }
  return check::gather_server_facts(server);
}

output::ServerSummary summarize(const server::Server& server, const config::ServerConfig& config,
                                const std::optional<check::ServerFacts>& facts,
                                const std::vector<BackupInfo>& backups) {
  const bool is_receiver_running = check::find_receiver(server).is_running;
  output::ServerSummary summary = summarize_server(config, facts, backups, is_receiver_running);
  // The index of a server without backups may not exist yet, and is not made here.
  std::optional<double> newest_wal_mtime;
  if (summary.backup_count > 0) {
    watch_newest(wal_lines(server), newest_wal_mtime)(
        [](const wal_archive::WalIndexLine&) { return wal_archive::Visit::proceed; });
  }
  summary.span =
      find_recovery_span(backups, server.catalogue().list_annotations(), newest_wal_mtime);
  return summary;
}

}  // namespace

void run_status(CommandContext& context) {
  const std::optional<output::TableStyle> style = find_table_style(context);
  std::vector<output::ServerSummary> summaries;
  for_each_server(context, [&](const config::ServerConfig& config) {
    const server::Server server = make_server(context, config);
    const std::optional<check::ServerFacts> facts = gather_facts(context, config, server);
    const std::vector<BackupInfo> backups = list_readable_backups(context, server);
    if (style) {
      summaries.push_back(summarize(server, config, facts, backups));
      return;
    }
    std::optional<check::WalFlow> flow;
    if (facts) flow = check::gather_wal_flow(server, facts->stream);
    std::vector<output::StatusRow> rows = make_status_rows(config, facts, backups, flow);
    for (const catalogue::LastReason& reason : check::list_current_reasons(server)) {
      rows.push_back({.key = "last_failure_of_" + replace_all(reason.task, "-", "_"),
                      .label = "Last failure of " + reason.task,
                      .message = reason.describe()});
    }
    // Only of a server that has some: who reads the rows of others finds what was always there.
    const std::string branches =
        describe_branches(wal_archive::read_branches(server, backups), backups);
    if (!branches.empty()) {
      rows.push_back({.key = "branches", .label = "Branches", .message = branches});
    }
    output::write_status(context.reporter, config.name, rows);
  });
  if (summaries.empty()) return;
  for (const std::string& line : output::status_table(summaries, *style)) {
    context.reporter.result_line(line);
  }
}

}  // namespace barman::cli
