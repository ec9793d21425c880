#include "backup/reference_backup.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"
#include "catalogue/backup_kind.h"
#include "catalogue/catalogue.h"

namespace barman::backup {
namespace {

// rsync takes twenty directories.
constexpr std::size_t kMostUnfinished = 4;

std::string refusal_of(const stored::BackupStore& store, const catalogue::BackupInfo& backup,
                       const catalogue::BackupInfo& next) {
  if (backup.encryption) return "it is encrypted";
  if (catalogue::stored_form_of(backup) != catalogue::StoredForm::plain) {
    return "its files are in archives";
  }
  if (backup.is_incremental()) return "it holds changed blocks only";
  if (backup.systemid != next.systemid) return "it is of another cluster";
  if (!find_status(store.directories(backup.id).data_directory)) return "it has lost its files";
  return {};
}

}  // namespace

ReferenceBackup find_reference(const stored::BackupStore& store,
                               const std::vector<catalogue::BackupInfo>& backups,
                               const catalogue::BackupInfo& next) {
  const catalogue::BackupInfo* previous = catalogue::previous_backup(backups, next.id);
  if (previous == nullptr) return {};
  const std::string refusal = refusal_of(store, *previous, next);
  if (refusal.empty()) return {.backup = *previous, .refusal = {}};
  return {.backup = std::nullopt,
          .refusal = fmt::format("backup {} cannot be one: {}", previous->id.value, refusal)};
}

std::vector<catalogue::BackupInfo> list_unfinished(
    const stored::BackupStore& store, const std::vector<catalogue::BackupInfo>& backups,
    const catalogue::BackupInfo& next) {
  const catalogue::BackupInfo* previous = catalogue::previous_backup(backups, next.id);
  std::vector<catalogue::BackupInfo> unfinished;
  for (const catalogue::BackupInfo& backup : backups) {
    if (backup.status != catalogue::BackupStatus::failed || !(backup.id < next.id)) continue;
    if (previous != nullptr && backup.id < previous->id) continue;
    if (refusal_of(store, backup, next).empty()) unfinished.push_back(backup);
  }
  std::sort(unfinished.begin(), unfinished.end(),
            [](const auto& a, const auto& b) { return b.id < a.id; });
  if (unfinished.size() > kMostUnfinished) unfinished.resize(kMostUnfinished);
  return unfinished;
}

}  // namespace barman::backup
