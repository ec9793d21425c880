#include "stored/own_manifest.h"

#include <algorithm>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "catalogue/backup_kind.h"

namespace barman::stored {
namespace {

bool may_be_copied(const catalogue::BackupInfo& backup) {
  return catalogue::source_of(backup) == catalogue::SourceKind::rsync;
}

}  // namespace

bool is_copied_manifest(const catalogue::BackupInfo& backup, const ManifestFacts& facts) {
  // What Barman's generate-manifest writes tells no WAL.
  if (!may_be_copied(backup) || facts.wal_ranges.empty() || !backup.begin_xlog) return false;
  return std::ranges::none_of(facts.wal_ranges, [&](const postgres::ManifestWalRange& range) {
    return range.start == *backup.begin_xlog;
  });
}

std::optional<ManifestIndex> load_own_manifest(const catalogue::BackupInfo& backup,
                                               const std::filesystem::path& path) {
  std::optional<ManifestIndex> manifest = ManifestIndex::load(path);
  if (manifest && is_copied_manifest(backup, manifest->facts())) {
    log::warning(log::kBackupComponent,
                 "\"{}\" is not of backup {}, but came with the files of the cluster: it is taken "
                 "for none",
                 path.string(), backup.id.value);
    manifest.reset();
  }
  return manifest;
}

bool has_own_manifest(const catalogue::BackupInfo& backup, const std::filesystem::path& path) {
  if (!find_status(path, Links::refuse)) return false;
  if (!may_be_copied(backup)) return true;
  try {
    return load_own_manifest(backup, path).has_value();
  } catch (const Error& error) {  // Told by whoever needs it.
    if (error.kind() != ErrorKind::corrupt) throw;
    return true;
  }
}

}  // namespace barman::stored
