#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/table_style.h"
#include "facts/backup_facts.h"
#include "output/backup_views.h"
#include "stored/kept_configuration.h"
#include "wal_archive/read_branches.h"

namespace barman::cli {
namespace {

using catalogue::BackupId;
using catalogue::BackupInfo;

std::optional<BackupId> id_of(const BackupInfo* backup) {
  return backup == nullptr ? std::nullopt : std::optional(backup->id);
}

// nullopt for a backup without parent. A chain with a missing link ends at its last known backup.
std::optional<output::ShownChain> chain_of(const std::vector<BackupInfo>& backups,
                                           const BackupInfo& backup) {
  if (!backup.is_incremental() || !backup.parent_backup_id) return std::nullopt;
  output::ShownChain chain = {.root = backup.id, .parent = *backup.parent_backup_id, .size = 1};
  std::optional<BackupId> ancestor = backup.parent_backup_id;
  while (ancestor && chain.size <= backups.size()) {
    chain.root = *ancestor;
    ++chain.size;
    const BackupInfo* const found = catalogue::find_backup(backups, *ancestor);
    ancestor = found == nullptr ? std::nullopt : found->parent_backup_id;
  }
  return chain;
}

output::BackupDetails gather_details(CommandContext& context, const server::Server& server,
                                     const catalogue::KnownBackups& known,
                                     const BackupInfo& backup) {
  const std::vector<BackupInfo>& backups = known.list.backups;
  output::BackupDetails details;
  details.backup = backup;
  if (!backup.is_copy_done()) return details;
  details.wal = wal_archive::wal_statistics_of(backups, backup.id, facts::wal_lines(server));
  details.reachable_timelines = wal_archive::children_timelines(
      backup, facts::read_archived_history(context.reporter, server));
  const catalogue::Standing standing =
      wal_archive::read_branches(server, backup.xlog_segment_size).standing_of(backup);
  if (standing.is_abandoned()) details.abandoned = catalogue::describe_standing(standing);
  if (const auto retention = facts::list_retention_statuses(server, backups, known.annotations)) {
    const auto found = retention->find(backup.id);
    details.retention =
        found == retention->end() ? catalogue::RetentionStatus::none : found->second;
  }
  details.previous = id_of(catalogue::previous_backup(backups, backup.id));
  details.next = id_of(catalogue::next_backup(backups, backup.id));
  details.chain = chain_of(backups, backup);
  details.children = catalogue::children_of(backups, backup.id);
  return details;
}

// For people: the configuration from outside of the data directory that a restore lays beside it.
std::string kept_text(const CommandContext& context, const server::Server& server,
                      const BackupInfo& backup) {
  if (!is_for_people(context) || !backup.is_copy_done()) return "";
  try {
    const stored::KeptSurvey kept =
        stored::survey_kept_configuration(server.catalogue(), backup.id);
    std::vector<std::string> names = kept.names;
    for (const auto& [name, problem] : kept.problems) {
      names.push_back(fmt::format("{} ({})", name, problem));
    }
    return join(names, ", ");
  } catch (const Error& error) {  // A bucket that is away; all else is known here.
    if (error.kind() == ErrorKind::interrupted) throw;
    return "";
  }
}

}  // namespace

void run_show_backup(CommandContext& context) {
  const config::ServerConfig* const config = select_server(context);
  if (config == nullptr) return;
  const server::Server server = make_server(context, *config);
  const catalogue::KnownBackups known = server.catalogue().load();
  std::vector<std::string> passed_over;
  const BackupInfo& backup =
      catalogue::resolve_backup(known.list, known.annotations, context.arguments.get("backup_id"),
                                config->name, &passed_over);
  for (const std::string& text : passed_over) context.reporter.warning(text);
  facts::warn_of_left_out(context.reporter, known.list, config->name);
  facts::warn_of_unread_bucket(context.reporter, server, known.annotations);
  facts::warn_of_doubt(context.reporter, server, known, backup);
  output::write_backup_details(context.reporter, config->name,
                               gather_details(context, server, known, backup));
  const std::string kept = kept_text(context, server, backup);
  if (!kept.empty()) context.reporter.result_line("  Kept configuration     : " + kept);
  const bool is_being_made = backup.status == catalogue::BackupStatus::empty ||
                             backup.status == catalogue::BackupStatus::started ||
                             backup.status == catalogue::BackupStatus::syncing;
  if (!is_being_made) return;
  // At most one that makes a new backup runs, since it has the lock of backups.
  const bool is_synced = backup.status == catalogue::BackupStatus::syncing;
  const std::vector<std::string> running =
      work_lines(context, server, [&](const catalogue::RunningWork& work) {
        if (is_synced) return work.task == "sync-backup" && work.object == "of " + backup.id.value;
        return work.task == "backup" || work.task == "consolidate";
      });
  for (const std::string& line : running) context.reporter.result_line("  Running: " + line);
}

}  // namespace barman::cli
