#include "backup/choose_parent.h"

#include <utility>

#include <fmt/format.h>

#include "backup/live_timeline.h"
#include "base/error.h"
#include "base/fd.h"
#include "catalogue/backup_kind.h"
#include "catalogue/newest_backup.h"
#include "postgres/queries.h"
#include "postgres/versions.h"
#include "stored/backup_chain.h"
#include "stored/backup_store.h"
#include "stored/restorable.h"
#include "wal_archive/read_branches.h"

namespace barman::backup {

using catalogue::BackupInfo;

namespace {

// Block-level incremental backups.
constexpr int kFirstIncrementalVersion = postgres::kVersion17;

}  // namespace

BackupInfo choose_parent(const server::Server& server, const std::string& word,
                         Messages& messages) {
  const catalogue::KnownBackups known = server.catalogue().load();
  const catalogue::BackupList& list = known.list;
  const catalogue::Annotations& annotations = known.annotations;
  catalogue::Branches branches = wal_archive::read_branches(server, list.backups);
  ask_live_timeline(server, branches);
  BackupInfo parent;
  if (catalogue::asks_for_newest(word)) {
    catalogue::NewestBackup newest =
        catalogue::find_newest(list, annotations, branches, word, server.name());
    if (!newest.note.empty()) messages.info(newest.note);
    for (const std::string& text : newest.warnings) messages.warning(text);
    parent = std::move(newest.backup);
  } else {
    parent = catalogue::resolve_backup(list, annotations, word, server.name());
  }
  const catalogue::Standing standing = branches.standing_of(parent);
  if (parent.is_copy_done() && branches.live_timeline && standing.is_abandoned()) {
    throw Error(
        ErrorKind::config,
        fmt::format("failed to start backup: backup {} is not eligible as a parent: it lies "
                    "on a branch that the server has left, {}",
                    parent.id.value, catalogue::describe_standing(standing)),
        fmt::format("Choose a parent on the way to timeline {} ('barman catalogue-check {}' "
                    "shows the branches), or take a full backup.",
                    branches.live_timeline->value, server.name()));
  }
  return parent;
}

void require_parent(const server::Server& server, const BackupInfo& parent) {
  const auto refuse = [](const std::string& reason, const std::string& hint) {
    throw Error(ErrorKind::config, "failed to start backup: " + reason, hint);
  };
  if (server.config().backup_method != config::BackupMethod::postgres) {
    refuse("the --incremental option needs backup_method = postgres",
           "Take a full backup without --incremental.");
  }
  postgres::Connection connection = server.connect();
  if (connection.server_version() < kFirstIncrementalVersion) {
    refuse(
        "Postgres version 17 or greater is required for incremental backups using the Postgres "
        "backup method",
        "Take a full backup without --incremental.");
  }
  if (postgres::query_settings(connection).summarize_wal != "on") {
    refuse("'summarize_wal' option has to be enabled on the server for incremental backups",
           "Set summarize_wal = on, reload PostgreSQL, and take a full backup first.");
  }
  const std::string other = fmt::format(
      "Choose another parent ('barman list-backups {}'), or take a full backup.", server.name());
  const std::string name = "backup " + parent.id.value;
  if (catalogue::source_of(parent) != catalogue::SourceKind::postgres_stream) {
    refuse(name + " is not eligible as a parent: it was not taken with backup_method = postgres",
           other);
  }
  if (!parent.is_copy_done()) {
    refuse(fmt::format("{} is not eligible as a parent: its status is {}", name,
                       catalogue::status_text(parent.status)),
           other);
  }
  if (parent.summarize_wal != "on") {
    refuse(
        name + " is not eligible as a parent: it was taken while 'summarize_wal' was not enabled",
        other);
  }
  const auto manifest = stored::BackupStore(server.catalogue()).manifest_path(parent.id);
  if (!find_file(manifest)) {
    refuse(
        fmt::format("{} is not eligible as a parent: \"{}\" is missing", name, manifest.string()),
        other);
  }
  // Its own chain must be complete, or nothing can be restored from the new backup.
  for (const BackupInfo& link : stored::list_chain(server.catalogue(), parent)) {
    try {
      stored::require_files(server.catalogue(), link);
      stored::require_manifest(server.catalogue(), link);
    } catch (const Error& error) {
      refuse(fmt::format("the chain of {} is broken: {}", name, error.describe()),
             "Choose a parent that does not build on it, or take a full backup.");
    }
  }
}

}  // namespace barman::backup
