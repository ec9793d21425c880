#include "backup/reference_backup.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "catalogue/backup_kind.h"
#include "catalogue/catalogue.h"

namespace barman::backup {
namespace {

// rsync takes twenty directories.
constexpr std::size_t kMostUnfinished = 4;
// A file touched so shortly before the reference was begun is compared.
constexpr std::time_t kHorizonMargin = 2;

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

// Immutable storage lets no file have a second name, and other file systems know none.
std::string find_link_refusal(const stored::BackupStore& store, const catalogue::BackupId& from,
                              const catalogue::BackupId& to) {
  const std::filesystem::path file = store.directories(from).data_directory / "PG_VERSION";
  const std::filesystem::path link =
      store.directories(to).data_directory.parent_path() / ".link_test";
  if (::link(file.c_str(), link.c_str()) != 0) return errno_text(errno);
  if (::unlink(link.c_str()) != 0) {
    throw_errno(fmt::format("cannot remove \"{}\"", link.string()));
  }
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

void References::choose(BackupJob& job, UseUnfinished use) {
  const bool is_reusing = job.request.reuse != config::ReuseBackup::off;
  if (!is_reusing && use == UseUnfinished::with_reuse) return;
  const std::vector<catalogue::BackupInfo> backups = job.server.catalogue().list_backups().backups;
  unfinished_ = list_unfinished(store_, backups, job.info);
  for (const catalogue::BackupInfo& backup : unfinished_) {
    log::info(log::kBackupComponent, "what has arrived of backup {} is not copied again",
              backup.id.value);
  }
  if (!is_reusing) return;
  ReferenceBackup found = find_reference(store_, backups, job.info);
  if (!found.refusal.empty()) {
    job.messages.warning(
        "All files are copied: reuse_backup needs a previous backup of files, and " +
        found.refusal);
  }
  previous_ = std::move(found.backup);
  if (!previous_ || job.request.reuse != config::ReuseBackup::link) return;
  job.shares_with = previous_->id;
  const std::string refusal = find_link_refusal(store_, previous_->id, job.info.id);
  if (!refusal.empty()) {
    job.messages.warning(fmt::format(
        "Files that have not changed are copied: reuse_backup = link cannot link those of backup "
        "{} ({}).",
        previous_->id.value, refusal));
  }
}

std::vector<ReferenceTree> References::trees_of(std::uint32_t oid) const {
  std::vector<ReferenceTree> trees;
  const auto add = [&](const catalogue::BackupInfo& backup, std::optional<std::time_t> horizon) {
    const stored::BackupDirectories places = store_.directories(backup.id);
    const std::filesystem::path path =
        oid == 0 ? places.data_directory : places.tablespace_directory(oid);
    if (find_status(path)) trees.push_back({.directory = path, .horizon = horizon});
  };
  // Nothing says what of them got to the disk before this host went down: all is compared.
  for (const catalogue::BackupInfo& backup : unfinished_) add(backup, std::nullopt);
  if (previous_) {
    add(*previous_, previous_->begin_time
                        ? std::optional(previous_->begin_time->seconds() - kHorizonMargin)
                        : std::nullopt);
  }
  return trees;
}

}  // namespace barman::backup
