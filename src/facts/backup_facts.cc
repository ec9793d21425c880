#include "facts/backup_facts.h"

#include <fmt/format.h>

#include "backup/delete_backup.h"
#include "catalogue/chain_doubt.h"
#include "catalogue/gone_backups.h"
#include "wal/wal_file_name.h"
#include "wal_archive/wal_archive.h"

namespace barman::facts {

using catalogue::BackupInfo;

void warn_of_left_out(Messages& messages, const catalogue::BackupList& list,
                      const std::string& server_name) {
  for (const catalogue::BrokenBackup& backup : list.broken) {
    messages.warning(fmt::format("backup {} is left out: {}", backup.id.value, backup.reason));
  }
  for (const BackupInfo& backup : list.gone) {
    messages.warning(catalogue::describe_gone(backup, server_name));
  }
}

std::vector<BackupInfo> list_readable_backups(Messages& messages, const server::Server& server) {
  catalogue::BackupList list = server.catalogue().list_backups();
  warn_of_left_out(messages, list, server.name());
  return std::move(list.backups);
}

void warn_of_unread_bucket(Messages& messages, const server::Server& server,
                           const catalogue::Annotations& annotations) {
  if (annotations.unread_bucket.empty()) return;
  messages.warning(
      fmt::format("the bucket of server {} cannot be read: {}. What is shown is what this host "
                  "knows",
                  server.name(), annotations.unread_bucket));
}

void warn_of_doubt(Messages& messages, const server::Server& server,
                   const catalogue::KnownBackups& known, const BackupInfo& backup) {
  if (!backup.is_copy_done() || known.annotations.being_deleted.contains(backup.id)) return;
  const std::string doubt =
      catalogue::find_chain_doubt(known.list.backups, known.annotations, backup);
  // Deleted while it was looked at.
  if (doubt.empty() || !server.catalogue().find_backup(backup.id)) return;
  if (!known.annotations.objects && catalogue::is_orphan(backup, known.annotations)) {
    messages.warning(fmt::format(
        "backup {} has no files: its directory is missing. Mount the disk that it lies on; if its "
        "files are gone for good, 'barman delete {} {}' removes the rest of it",
        backup.id.value, server.name(), backup.id.value));
    return;
  }
  messages.warning(fmt::format(
      "backup {} cannot be restored: {}. 'barman catalogue-check {}' tells what can be recovered",
      backup.id.value, doubt, server.name()));
}

void warn_of_doubts(Messages& messages, const server::Server& server,
                    const catalogue::KnownBackups& known) {
  for (const BackupInfo& backup : known.list.backups) {
    warn_of_doubt(messages, server, known, backup);
  }
}

catalogue::KnownBackups load_and_warn(Messages& messages, const server::Server& server) {
  catalogue::KnownBackups known = server.catalogue().load();
  warn_of_left_out(messages, known.list, server.name());
  warn_of_unread_bucket(messages, server, known.annotations);
  warn_of_doubts(messages, server, known);
  return known;
}

wal_archive::WalLines wal_lines(const server::Server& server) {
  return [archive = wal_archive::WalArchive(server),
          name = server.name()](const wal_archive::WalIndexVisitor& visitor) {
    try {
      archive.index().for_each(visitor);
    } catch (const Error& error) {
      // Only here the name of the server is known, which makes the hint a command to copy.
      if (error.kind() != ErrorKind::corrupt) throw;
      throw Error(error.kind(), error.describe(),
                  fmt::format("Please run \"barman rebuild-xlogdb {}\" to solve this issue", name));
    }
  };
}

wal_archive::HistoryReader read_archived_history(Messages& messages, const server::Server& server) {
  return [&messages, archive = wal_archive::WalArchive(server)](
             wal::TimelineId timeline) -> std::optional<std::string> {
    // Everything else of a backup is worth telling without its timelines.
    try {
      return archive.find_text(wal::history_file_name(timeline));
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupted) throw;
      messages.warning(
          fmt::format("timelines from {} on are not told: {}", timeline.value, error.describe()));
    }
    return std::nullopt;
  };
}

std::optional<RetentionStatuses> list_retention_statuses(
    const server::Server& server, const std::vector<BackupInfo>& backups,
    const catalogue::Annotations& annotations) {
  if (!server.config().retention_policy) return std::nullopt;
  RetentionStatuses statuses;
  for (const catalogue::RetentionVerdict& verdict :
       catalogue::apply_retention(backups, backup::retention_input(server, backups, annotations))) {
    statuses.emplace_hint(statuses.end(), verdict.id, verdict.status);
  }
  return statuses;
}

}  // namespace barman::facts
