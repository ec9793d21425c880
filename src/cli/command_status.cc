#include "base/hint.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/table_style.h"
#include "facts/backup_facts.h"
#include "facts/disk_space.h"
#include "facts/receiver.h"
#include "facts/server_facts.h"
#include "facts/server_summary.h"
#include "facts/status_rows.h"
#include "postgres/system_id.h"
#include "wal_archive/known_cluster.h"
#include "wal_archive/read_branches.h"

namespace barman::cli {
namespace {

using catalogue::BackupInfo;

std::optional<facts::ServerFacts> gather_facts(CommandContext& context,
                                               const config::ServerConfig& config,
                                               const server::Server& server) {
  if (!facts::has_live_values(config)) return std::nullopt;
  if (!config.conninfo) {
    for (const std::string& text : config.messages) context.reporter.error(text);
  }
  return facts::gather_server_facts(server);
}

facts::ServerSummary summarize(const server::Server& server, const config::ServerConfig& config,
                               const std::optional<facts::ServerFacts>& facts,
                               const catalogue::KnownBackups& known) {
  const std::vector<BackupInfo>& backups = known.list.backups;
  const bool is_receiver_running = facts::find_receiver(server).is_running;
  facts::ServerSummary summary =
      facts::summarize_server(config, facts, backups, is_receiver_running);
  // The index of a server without backups may not exist yet, and is not made here.
  std::optional<double> newest_wal_mtime;
  if (summary.backup_count > 0) {
    facts::watch_newest(facts::wal_lines(server), newest_wal_mtime)(
        [](const wal_archive::WalIndexLine&) { return wal_archive::Visit::proceed; });
  }
  summary.span = facts::find_recovery_span(backups, known.annotations, newest_wal_mtime);
  return summary;
}

// An index that cannot be read leaves the other rows as they are.
std::optional<facts::WalFlow> find_wal_flow(CommandContext& context, const server::Server& server,
                                            std::optional<facts::StreamLook> stream) {
  try {
    return facts::gather_wal_flow(server, stream);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    context.reporter.error(error.describe_with_hint());
    return std::nullopt;
  }
}

std::optional<Error> find_other_cluster(const server::Server& server,
                                        const std::optional<facts::ServerFacts>& facts) {
  if (!facts || !facts->system_id) return std::nullopt;
  return wal_archive::find_other_cluster(server, postgres::format_system_id(*facts->system_id),
                                         "conninfo");
}

}  // namespace

void run_status(CommandContext& context) {
  const std::optional<output::TableStyle> style = find_table_style(context);
  std::vector<facts::ServerSummary> summaries;
  for_each_server(context, [&](const config::ServerConfig& config) {
    const server::Server server = make_server(context, config);
    const std::optional<facts::ServerFacts> facts = gather_facts(context, config, server);
    const catalogue::KnownBackups known = facts::load_and_warn(context.reporter, server);
    const std::vector<BackupInfo>& backups = known.list.backups;
    if (style) {
      summaries.push_back(summarize(server, config, facts, known));
      return;
    }
    std::optional<facts::WalFlow> flow;
    if (facts) flow = find_wal_flow(context, server, facts->stream);
    std::vector<facts::StatusRow> rows = facts::make_status_rows(config, facts, backups, flow);
    if (const auto other = find_other_cluster(server, facts)) {
      rows.push_back({.key = "other_cluster",
                      .label = "Cluster",
                      .message = with_hint_inside(other->describe(), other->hint())});
    }
    for (const catalogue::LastReason& reason : facts::list_current_reasons(server)) {
      rows.push_back({.key = "last_failure_of_" + replace_all(reason.task, "-", "_"),
                      .label = "Last failure of " + reason.task,
                      .message = reason.describe()});
    }
    // Only of a server that has some: who reads the rows of others finds what was always there.
    const std::string branches =
        facts::describe_branches(wal_archive::read_branches(server, backups), backups);
    if (!branches.empty()) {
      rows.push_back({.key = "branches", .label = "Branches", .message = branches});
    }
    // For people: programs get the rows that they know.
    const auto space = is_for_people(context) ? facts::find_disk_space(server, backups)
                                              : std::optional<facts::DiskSpace>();
    if (space) {
      rows.push_back(
          {.key = "disk_space", .label = "Disk", .message = facts::describe_space(*space)});
    }
    for (const std::string& line : work_lines(context, server)) {
      rows.push_back({.key = "running_work", .label = "Running", .message = line});
    }
    output::write_status(context.reporter, config.name, rows);
  });
  if (summaries.empty()) return;
  for (const std::string& line : output::status_table(summaries, *style)) {
    context.reporter.result_line(line);
  }
}

}  // namespace barman::cli
