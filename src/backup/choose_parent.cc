#include "backup/choose_parent.h"

#include <utility>

#include <fmt/format.h>

#include "backup/live_timeline.h"
#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "catalogue/newest_backup.h"
#include "wal_archive/read_branches.h"

namespace barman::backup {

using catalogue::BackupInfo;

BackupInfo choose_parent(const server::Server& server, const std::string& word) {
  const catalogue::BackupList list = server.catalogue().list_backups();
  const catalogue::Annotations annotations = server.catalogue().list_annotations();
  catalogue::Branches branches = wal_archive::read_branches(server, list.backups);
  ask_live_timeline(server, branches);
  BackupInfo parent;
  if (catalogue::asks_for_newest(word)) {
    catalogue::NewestBackup newest =
        catalogue::find_newest(list, annotations, branches, word, server.name());
    if (!newest.note.empty()) log::info(log::kBackupComponent, "{}", newest.note);
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

}  // namespace barman::backup
