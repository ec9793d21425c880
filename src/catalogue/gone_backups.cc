#include "catalogue/gone_backups.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/error.h"
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

bool is_directory_with_content(const fs::path& path) {
  const auto status = find_status(path);
  if (!status || !S_ISDIR(status->st_mode)) return false;
  try {
    return !list_directory(path).empty();
  } catch (const Error&) {  // It is there, and nobody knows what it holds.
    return true;
  }
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

std::vector<fs::path> list_nameless(const Catalogue& catalogue, const Annotations& annotations) {
  std::vector<fs::path> nameless;
  if (!annotations.directories || annotations.objects) return nameless;
  for (const BackupId& id : *annotations.directories) {
    const fs::path directory = catalogue.base_directory(id);
    // Asked now: a backup may have begun after the list was read.
    if (annotations.being_deleted.contains(id) || find_status(catalogue.backup_info_path(id)) ||
        !is_directory_with_content(directory)) {
      continue;
    }
    nameless.push_back(directory);
  }
  return nameless;
}

void add_nameless(const Catalogue& catalogue, const Annotations& annotations, BackupList& list) {
  for (const fs::path& directory : list_nameless(catalogue, annotations)) {
    const BackupId id{directory.filename().string()};
    if (list.find(id) != nullptr || list.find_broken(id) != nullptr) continue;
    list.broken.push_back(
        {.id = id,
         .path = catalogue.backup_info_path(id),
         .reason = fmt::format("it is lost, and \"{}\" is there. Bring it back, or remove that "
                               "directory",
                               directory.string())});
  }
  std::sort(list.broken.begin(), list.broken.end(),
            [](const BrokenBackup& a, const BrokenBackup& b) { return a.id < b.id; });
}

std::string describe_gone(const BackupInfo& backup, std::string_view server_name) {
  return fmt::format(
      "backup {} is gone: its directory and its WAL were removed by another program, which has "
      "left "
      "its metadata. 'barman delete {} {}' removes them, too",
      backup.id.value, server_name, backup.id.value);
}

}  // namespace barman::catalogue
