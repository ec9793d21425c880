#include "catalogue/gone_backups.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>

#include <fmt/format.h>

#include "base/fd.h"
#include "wal/wal_file_name.h"

namespace barman::catalogue {
namespace {

namespace fs = std::filesystem;

bool has_first_wal(const CatalogueLocations& locations, const BackupInfo& backup) {
  const auto name = wal::parse_wal_file_name(*backup.begin_wal);
  if (!name) return true;  // nobody knows which it would be
  return find_status(locations.wals_directory / name->hash_directory() / name->name).has_value();
}

}  // namespace

std::set<BackupId> find_gone(const Catalogue& catalogue, const std::vector<BackupInfo>& backups) {
  const CatalogueLocations& locations = catalogue.locations();
  if (!locations.has_local_backups || !locations.has_local_wals) return {};
  std::vector<const BackupInfo*> present;
  std::vector<const BackupInfo*> missing;
  for (const BackupInfo& backup : backups) {
    if (!backup.is_copy_done() || !backup.begin_wal || backup.type() == BackupType::snapshot) {
      continue;
    }
    const bool is_there =
        find_status(catalogue.base_directory(backup.id), Links::refuse).has_value();
    (is_there ? present : missing).push_back(&backup);
  }
  const auto has_wal = [&](const BackupInfo* backup) { return has_first_wal(locations, *backup); };
  if (missing.empty() || std::none_of(present.begin(), present.end(), has_wal)) return {};
  std::set<BackupId> gone;
  for (const BackupInfo* const backup : missing) {
    // Our own deletion goes on by its mark.
    if (!has_wal(backup) && !catalogue.is_being_deleted(backup->id)) gone.insert(backup->id);
  }
  return gone;
}

void take_gone_out(const Catalogue& catalogue, BackupList& list) {
  const std::set<BackupId> gone = find_gone(catalogue, list.backups);
  if (gone.empty()) return;
  const auto first_gone =
      std::stable_partition(list.backups.begin(), list.backups.end(),
                            [&](const BackupInfo& backup) { return !gone.contains(backup.id); });
  std::move(first_gone, list.backups.end(), std::back_inserter(list.gone));
  list.backups.erase(first_gone, list.backups.end());
}

std::string describe_gone(const BackupInfo& backup, std::string_view server_name) {
  return fmt::format(
      "backup {} is gone: its directory and its WAL were removed by another program, which has "
      "left "
      "its metadata. 'barman delete {} {}' removes them, too",
      backup.id.value, server_name, backup.id.value);
}

}  // namespace barman::catalogue
