#include "backup/rebuild_catalogue.h"

#include <optional>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file_lock.h"
#include "catalogue/backup_turn.h"
#include "catalogue/cloud_catalogue.h"
#include "postgres/version_facts.h"

namespace barman::backup {
namespace {

using catalogue::BackupInfo;

// Of the newest backup that tells it.
std::optional<catalogue::Identity> identity_of(const std::vector<BackupInfo>& backups) {
  for (auto backup = backups.rbegin(); backup != backups.rend(); ++backup) {
    if (!backup->systemid || !backup->version) continue;
    return catalogue::Identity{.system_id = *backup->systemid,
                               .version = postgres::major_version_text(*backup->version)};
  }
  return std::nullopt;
}

void require_known_cluster(const server::Server& server, const catalogue::Identity& identity) {
  const std::optional<catalogue::Identity> known = server.catalogue().find_identity();
  if (!known || known->system_id == identity.system_id) return;
  throw Error(ErrorKind::conflict,
              fmt::format("the catalogue of server '{}' belongs to the cluster with system "
                          "identifier {}, the backups in the bucket to {}",
                          server.name(), known->system_id, identity.system_id),
              "Correct basebackups_directory, or configure a new server for the other cluster.");
}

// Retention on this host would take the WAL of a backup that its catalogue lacks.
void require_given(const catalogue::CloudBackups& there) {
  for (const catalogue::BrokenBackup& broken : there.list.broken) {
    if (!there.withheld.contains(broken.id)) continue;
    throw Error(ErrorKind::permission,
                fmt::format("the store does not give the metadata of backup {}: {}",
                            broken.id.value, broken.reason),
                "Give the key that it was stored with (aws_sse_customer_key), or the right to read "
                "it: a catalogue without it would let its WAL be deleted.");
  }
}

}  // namespace

RebuiltCatalogue rebuild_catalogue(const server::Server& server, Messages& messages) {
  const catalogue::Catalogue& catalogue = server.catalogue();
  const auto bucket = catalogue.bucket();
  if (!bucket) {
    throw Error(ErrorKind::config,
                fmt::format("the backups of server '{}' lie on this host, with their metadata",
                            server.name()),
                "'rebuild-catalogue' is for servers whose basebackups_directory is a bucket.");
  }
  server.create_directories();
  const FileLock lock = catalogue::take_backup_turn_or_throw(
      server.locks(), "Another backup process is running", server.interrupt(), messages);
  catalogue::CloudBackups there = bucket->load();
  require_given(there);
  if (const auto identity = identity_of(there.list.backups)) {
    require_known_cluster(server, *identity);
    catalogue.write_identity_once(*identity);
  }
  RebuiltCatalogue result;
  for (const BackupInfo& backup : there.list.backups) {
    if (catalogue.find_backup(backup.id) || catalogue.is_being_deleted(backup.id)) {
      ++result.known_count;
      continue;
    }
    catalogue.save_copy(backup);
    result.added.push_back(backup.id);
  }
  for (const catalogue::BrokenBackup& broken : there.list.broken) {
    messages.warning(fmt::format("The metadata of backup {} in the bucket cannot be read: {}",
                                 broken.id.value, broken.reason));
  }
  result.broken = std::move(there.list.broken);
  return result;
}

}  // namespace barman::backup
