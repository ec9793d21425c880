#include "cloud/delete_cloud_backups.h"

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/python_text.h"
#include "base/text.h"
#include "cloud/operation_failed.h"
#include "wal_archive/wal_removal.h"

namespace barman::cloud {
namespace {

using catalogue::BackupId;
using catalogue::BackupInfo;
using catalogue::BackupStatus;
using wal_archive::WalRemovalInput;
using wal_archive::WalRemovalPlan;

// "['a', 'b']", as Python prints lists.
std::string python_list(std::span<const std::string> texts) {
  std::vector<std::string> quoted;
  for (const std::string& text : texts) quoted.push_back(python_quoted(text));
  return fmt::format("[{}]", join(quoted, ", "));
}

// The objects of one directory of WAL, as a listing brings them.
struct WalDirectory {
  std::string prefix;
  std::vector<std::string> keys;
  std::vector<std::string> doomed;
  // No WAL file of it stays.
  bool is_wholly_doomed = true;
};

class CloudDeletion {
 public:
  CloudDeletion(const CloudCatalogue& catalogue, CloudBackups backups,
                const CloudDeletionOptions& options)
      : catalogue_(catalogue), backups_(std::move(backups)), options_(options) {}

  const CloudBackups& backups() const { return backups_; }
  void require_readable() const;
  // The backup is gone, and its WAL is planned.
  void remove_backup(const BackupInfo& backup, WalRemovalInput::Cause cause,
                     const std::set<BackupId>& standalone);
  void remove_wals();

 private:
  void remove_objects(const BackupInfo& backup) const;
  void require_unlocked(const BackupId& id, const std::vector<std::string>& keys) const;
  void remove_keys(std::span<const std::string> keys) const;
  void tell_skipped(const std::string& what) const;
  void end_directory(WalDirectory& directory, std::vector<std::string>& doomed) const;
  bool is_doomed(std::string_view name) const;
  std::vector<std::string> shown(std::span<const std::string> keys) const;

  const CloudCatalogue& catalogue_;
  CloudBackups backups_;
  const CloudDeletionOptions& options_;
  std::vector<WalRemovalPlan> plans_;
};

void CloudDeletion::require_readable() const {
  if (backups_.list.broken.empty()) return;
  std::vector<std::string> ids;
  for (const catalogue::BrokenBackup& broken : backups_.list.broken) ids.push_back(broken.id.value);
  throw OperationFailed(
      fmt::format("Cannot read the following backups: {}\nUnsafe to proceed with deletion due to "
                  "failure reading backup catalog",
                  python_list(ids)),
      "Mend or remove their backup.info objects.");
}

std::vector<std::string> CloudDeletion::shown(std::span<const std::string> keys) const {
  std::vector<std::string> result;
  for (const std::string& key : keys) result.push_back(catalogue_.layout().shown(key));
  return result;
}

void CloudDeletion::tell_skipped(const std::string& what) const {
  options_.tell(fmt::format("Skipping deletion of {} due to --dry-run option", what));
}

void CloudDeletion::remove_keys(std::span<const std::string> keys) const {
  const std::size_t batch = std::max<std::size_t>(options_.batch_size, 1);
  for (std::size_t i = 0; i < keys.size(); i += batch) {
    catalogue_.storage().remove(keys.subspan(i, std::min(batch, keys.size() - i)));
  }
}

void CloudDeletion::require_unlocked(const BackupId& id,
                                     const std::vector<std::string>& keys) const {
  if (!options_.find_lock) return;
  bool has_locked = false;
  for (const std::string& key : keys) {
    const std::string reason = options_.find_lock(key);
    if (reason.empty()) continue;
    has_locked = true;
    log::error(log::kBackupComponent, "Cannot delete locked object {}: {}",
               catalogue_.layout().shown(key), reason);
  }
  if (!has_locked) return;
  throw OperationFailed(
      fmt::format("Could not delete backup {}: Error from cloud provider while deleting objects - "
                  "please check the command output.",
                  id.value),
      "Delete it when its objects are not locked any more.");
}

void CloudDeletion::remove_objects(const BackupInfo& backup) const {
  const BackupObjects& objects = backups_.objects_of(backup.id);
  std::vector<std::string> keys;
  std::set<std::uint32_t> trees;
  for (const StoredArchive& archive : objects.archives) {
    keys.push_back(archive.key);
    trees.insert(archive.name.tablespace_oid);
  }
  const auto warn_if_missing = [&](std::uint32_t oid) {
    if (trees.contains(oid)) return;
    log::warning(log::kBackupComponent, "Missing file {}{}.* for server {}",
                 catalogue_.layout().shown(catalogue_.layout().backup_prefix(backup.id)),
                 oid == 0 ? "data" : std::to_string(oid), catalogue_.layout().server_name());
  };
  if (backup.is_copy_done()) {
    warn_if_missing(0);
    for (const catalogue::Tablespace& tablespace : backup.tablespaces) {
      warn_if_missing(tablespace.oid);
    }
  }
  const std::array info = {catalogue_.layout().backup_info_key(backup.id)};
  require_unlocked(backup.id, keys);
  if (options_.is_dry_run) {
    std::vector<std::string> all = shown(keys);
    all.push_back(catalogue_.layout().shown(info.front()));
    return tell_skipped("objects " + python_list(all));
  }
  if (options_.abort_uploads) {
    options_.abort_uploads(catalogue_.layout().backup_prefix(backup.id));
  }
  remove_keys(keys);
  // Commit point: nobody takes it for a backup from here on.
  remove_keys(info);
}

void CloudDeletion::remove_backup(const BackupInfo& backup, WalRemovalInput::Cause cause,
                                  const std::set<BackupId>& standalone) {
  if (backup.snapshots_info) {
    throw OperationFailed(
        fmt::format("Could not delete backup {}: it was made of snapshots of disks, which this "
                    "version cannot delete",
                    backup.id.value),
        "Delete it with the program that made it.");
  }
  // The backup is still in the list: it says where its WAL begins.
  WalRemovalPlan plan = wal_archive::plan_wal_removal(
      {.list = backups_.list, .deleted = backup.id, .standalone = standalone, .cause = cause});
  try {
    remove_objects(backup);
  } catch (const OperationFailed&) {
    throw;
  } catch (const Error& error) {  // With the name of the backup, and the code of a failed deletion.
    if (error.kind() == ErrorKind::connection || error.kind() == ErrorKind::interrupted) throw;
    throw OperationFailed(
        fmt::format("Could not delete backup {}: {}", backup.id.value, error.describe()),
        error.hint());
  }
  log::info(log::kBackupComponent, "Deleted backup {}{}", backup.id.value,
            plan.is_removing ? "" : "; all WAL stays: " + plan.reason);
  if (plan.is_removing) plans_.push_back(std::move(plan));
  const BackupId id = backup.id;
  std::erase_if(backups_.list.backups, [&](const BackupInfo& one) { return one.id == id; });
}

bool CloudDeletion::is_doomed(std::string_view name) const {
  return std::any_of(plans_.begin(), plans_.end(),
                     [&](const WalRemovalPlan& plan) { return plan.removes(name); });
}

// A directory of which nothing is needed goes with whatever else lies in it.
void CloudDeletion::end_directory(WalDirectory& directory, std::vector<std::string>& doomed) const {
  const bool is_whole = directory.is_wholly_doomed && !directory.doomed.empty() &&
                        directory.prefix != catalogue_.layout().wals_prefix();
  if (is_whole && options_.is_dry_run) {
    tell_skipped("all objects under prefix " + catalogue_.layout().shown(directory.prefix));
  } else {
    std::vector<std::string>& keys = is_whole ? directory.keys : directory.doomed;
    doomed.insert(doomed.end(), std::make_move_iterator(keys.begin()),
                  std::make_move_iterator(keys.end()));
  }
  directory = {};
}

void CloudDeletion::remove_wals() {
  if (plans_.empty()) return;
  try {
    std::vector<std::string> doomed;
    WalDirectory directory;
    catalogue_.storage().list(
        catalogue_.layout().wals_prefix(), [&](const storage::ObjectFacts& facts) {
          const std::string prefix = facts.key.substr(0, facts.key.rfind('/') + 1);
          if (prefix != directory.prefix) end_directory(directory, doomed);
          directory.prefix = prefix;
          directory.keys.push_back(facts.key);
          const auto object = parse_wal_object(facts.key);
          if (!object) return;
          if (is_doomed(object->name.name)) {
            directory.doomed.push_back(facts.key);
          } else {
            directory.is_wholly_doomed = false;
          }
        });
    end_directory(directory, doomed);
    if (doomed.empty()) return;
    if (options_.is_dry_run) return tell_skipped("objects " + python_list(shown(doomed)));
    remove_keys(doomed);
    log::info(log::kCatalogueComponent, "Deleted {} objects of WAL", doomed.size());
  } catch (const Error& error) {  // The backups are gone; the next deletion takes what is left.
    if (error.kind() == ErrorKind::interrupted) throw;
    log::error(log::kCatalogueComponent, "Cannot clean up WALs of server {}: {}",
               catalogue_.layout().server_name(), error.describe_with_hint());
  }
}

std::size_t count_done(const std::vector<BackupInfo>& backups) {
  return static_cast<std::size_t>(
      std::count_if(backups.begin(), backups.end(),
                    [](const BackupInfo& backup) { return backup.status == BackupStatus::done; }));
}

void refuse_deletion(const CloudCatalogue& catalogue, const CloudBackups& backups,
                     const BackupInfo& backup, const CloudDeletionOptions& options) {
  const std::string& server = catalogue.layout().server_name();
  const std::string skipping =
      fmt::format("Skipping delete of backup {} for server {}", backup.id.value, server);
  if (backups.annotations.keeps.contains(backup.id)) {
    throw OperationFailed(
        skipping +
        " as it has a current keep request. If you really want to delete this backup "
        "please remove the keep and try again.");
  }
  const std::size_t redundancy = count_done(backups.list.backups);
  if (options.minimum_redundancy > 0 && backup.status == BackupStatus::done &&
      options.minimum_redundancy >= redundancy) {
    throw OperationFailed(fmt::format(
        "{} due to minimum redundancy requirements (minimum redundancy = {}, current redundancy = "
        "{})",
        skipping, options.minimum_redundancy, redundancy));
  }
  const auto children = catalogue::descendants_of(backups.list.backups, backup.id);
  if (!children.empty()) {
    throw OperationFailed(
        fmt::format("{}: the incremental backup {} needs it", skipping, children.front().value),
        "Delete that one first.");
  }
  if (backup.status == BackupStatus::started && !options.takes_started) {
    throw OperationFailed(skipping + ": its status is STARTED, so it may be running",
                          "If it is not, delete it with --force.");
  }
}

}  // namespace

void delete_cloud_backup(const CloudCatalogue& catalogue, const BackupId& id,
                         const CloudDeletionOptions& options) {
  CloudDeletion deletion(catalogue, catalogue.load(), options);
  deletion.require_readable();
  const CloudBackups& backups = deletion.backups();
  const BackupInfo* const found = backups.list.find(id);
  if (found == nullptr) {
    log::warning(log::kBackupComponent, "Backup {} does not exist", id.value);
    return;
  }
  const BackupInfo backup = *found;
  refuse_deletion(catalogue, backups, backup, options);
  deletion.remove_backup(
      backup, WalRemovalInput::Cause::command,
      catalogue::standalone_backups(backups.list.backups, backups.annotations, nullptr));
  deletion.remove_wals();
}

void delete_obsolete_cloud_backups(const CloudCatalogue& catalogue,
                                   const catalogue::RetentionRule& rule, Timestamp now,
                                   const CloudDeletionOptions& options) {
  CloudDeletion deletion(catalogue, catalogue.load(), options);
  deletion.require_readable();
  const CloudBackups& backups = deletion.backups();
  const bool is_raised = rule.kind == catalogue::RetentionRule::Kind::redundancy &&
                         rule.count < options.minimum_redundancy;
  if (is_raised) {
    log::warning(log::kBackupComponent,
                 "Retention policy redundancy ({}) is lower than the required minimum redundancy "
                 "({}). Enforce {}.",
                 rule.count, options.minimum_redundancy, options.minimum_redundancy);
  }
  const catalogue::RetentionInput input{.rule = rule,
                                        .minimum_redundancy = options.minimum_redundancy,
                                        .annotations = backups.annotations,
                                        .branches = {},
                                        .now = now};
  const auto verdicts = catalogue::apply_retention(backups.list.backups, input);
  for (const catalogue::RetentionVerdict& verdict : verdicts) {
    if (verdict.status != catalogue::RetentionStatus::potentially_obsolete) continue;
    log::warning(log::kBackupComponent, "Keeping obsolete backup {} for server {}: {}",
                 verdict.id.value, catalogue.layout().server_name(), verdict.reason);
  }
  const auto standalone = catalogue::standalone_outside_policy(verdicts);
  for (const BackupId& id : catalogue::obsolete_in_order(backups.list.backups, verdicts)) {
    const BackupInfo backup = *backups.list.find(id);
    deletion.remove_backup(backup, WalRemovalInput::Cause::retention, standalone);
  }
  deletion.remove_wals();
}

}  // namespace barman::cloud
