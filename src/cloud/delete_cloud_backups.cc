#include "cloud/delete_cloud_backups.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
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

// Of one backup; a policy goes on with the next one.
class KeptBackup final : public OperationFailed {
 public:
  using OperationFailed::OperationFailed;
};

KeptBackup refusal_of_kept(const CloudCatalogue& catalogue, const BackupId& id) {
  return KeptBackup(fmt::format(
      "Skipping delete of backup {} for server {} as it has a current keep request. If you really "
      "want to delete this backup please remove the keep and try again.",
      id.value, catalogue.layout().server_name()));
}

bool is_half_deleted(const BackupInfo& backup) {
  return backup.status == BackupStatus::failed && backup.error == catalogue::kDeletionBegun;
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
  enum class Wals { plan, leave };
  void remove_leftovers(Wals wals);
  void remove_wals();

 private:
  struct Doomed {
    BackupInfo backup;
    WalRemovalInput::Cause cause;
    std::set<BackupId> standalone;
  };

  void take_out(const BackupId& id) { gone_.insert(id); }
  void plan_wals();
  bool is_long_over(const BackupId& id) const;
  void tell_of_nameless() const;
  void remove_leftover(const BackupInfo& backup, Wals wals);
  void mark(const BackupInfo& backup) const;
  void require_not_kept(const BackupInfo& backup) const;
  void unmark_if_whole(const BackupInfo& backup) const;
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
  // That are gone, with what decides on their WAL.
  std::map<BackupId, Doomed> doomed_;
  // Those and leftovers: they may still be in the list.
  std::set<BackupId> gone_;
  std::vector<WalRemovalPlan> plans_;
  // No plan takes a name from here on; nullopt: one may.
  std::optional<std::string> last_needed_;
};

void CloudDeletion::require_readable() const {
  if (backups_.list.broken.empty()) return;
  std::vector<std::string> ids;
  for (const catalogue::BrokenBackup& broken : backups_.list.broken) ids.push_back(broken.id.value);
  throw OperationFailed(
      fmt::format("Cannot read the following backups: {}\nUnsafe to proceed with deletion due to "
                  "failure reading backup catalog",
                  python_list(ids)),
      backups_.withheld.empty()
          ? "Mend or remove their backup.info objects."
          : "Give the key that they were stored with (--sse-customer-key), or the right to read "
            "them.");
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

// Commit point: nobody takes it for a backup from here on.
void CloudDeletion::mark(const BackupInfo& backup) const {
  if (!backup.is_copy_done()) return;
  catalogue_.save_as_deleted(backup);
}

// Somebody may have kept it since all was read. Behind the mark, which whoever keeps a backup looks
// for behind the keep: one of both sees the other.
void CloudDeletion::require_not_kept(const BackupInfo& backup) const {
  if (backup.is_copy_done() && catalogue_.find_keep(backup.id)) {
    throw refusal_of_kept(catalogue_, backup.id);
  }
}

// Nothing could be deleted: it is a backup as before.
void CloudDeletion::unmark_if_whole(const BackupInfo& backup) const {
  if (!backup.is_copy_done()) return;
  try {
    const auto archives = catalogue_.list_objects(backup.id).archives;
    if (archives == backups_.objects_of(backup.id).archives) catalogue_.save(backup);
  } catch (const Error& error) {  // Why it could not be deleted is told by the caller.
    log::warning(log::kBackupComponent, "backup {} stays as one whose deletion has begun: {}",
                 backup.id.value, error.describe());
  }
}

void CloudDeletion::remove_objects(const BackupInfo& backup) const {
  const BackupObjects& objects = backups_.objects_of(backup.id);
  std::vector<std::string> keys;
  std::set<std::uint32_t> trees;
  for (const StoredArchive& archive : objects.archives) {
    keys.push_back(archive.key);
    trees.insert(archive.name.tablespace_oid);
  }
  for (const std::string& name : objects.other_names) {
    if (!catalogue::is_companion_of_archives(name)) continue;
    keys.push_back(catalogue_.layout().backup_prefix(backup.id) + name);
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
  mark(backup);
  try {
    require_not_kept(backup);
    remove_keys(keys);
  } catch (const Error& error) {  // Told by the caller; what is whole must not look damaged.
    if (error.kind() != ErrorKind::interrupted) unmark_if_whole(backup);
    throw;
  }
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
  log::info(log::kBackupComponent, "Deleted backup {}", backup.id.value);
  doomed_.emplace(backup.id, Doomed{backup, cause, standalone});
  take_out(backup.id);
}

// What a deletion lets go depends on what stays, and on where in it the deleted backup was: of
// those between two that stay the last one says it for all.
void CloudDeletion::plan_wals() {
  std::vector<BackupInfo>& stay = backups_.list.backups;
  std::erase_if(stay, [&](const BackupInfo& one) { return gone_.contains(one.id); });
  const auto by_id = [](const BackupInfo& one, const BackupId& id) { return one.id < id; };
  for (auto one = doomed_.begin(); one != doomed_.end(); ++one) {
    const auto& [id, doomed] = *one;
    const auto place = std::lower_bound(stay.begin(), stay.end(), id, by_id);
    const auto next = std::next(one);
    const bool is_last = next == doomed_.end() || next->second.cause != doomed.cause ||
                         (place != stay.end() && place->id < next->first);
    if (!is_last) continue;
    // In the list it says where its WAL begins.
    const auto inserted = stay.insert(place, doomed.backup);
    WalRemovalPlan plan = wal_archive::plan_wal_removal({.list = backups_.list,
                                                         .deleted = id,
                                                         .standalone = doomed.standalone,
                                                         .cause = doomed.cause});
    stay.erase(inserted);
    if (plan.is_removing) {
      plans_.push_back(std::move(plan));
    } else {
      log::info(log::kBackupComponent, "All WAL of backup {} stays: {}", id.value, plan.reason);
    }
  }
}

bool CloudDeletion::is_long_over(const BackupId& id) const {
  constexpr std::int64_t kSeconds = std::chrono::seconds(kDeadAfter).count();
  return backups_.newest_seconds() - backups_.objects_of(id).newest_seconds > kSeconds;
}

// Whether they are of a killed upload or of a backup that somebody would like to have back is not
// known: they stay.
void CloudDeletion::tell_of_nameless() const {
  std::set<BackupId> described;
  for (const BackupInfo& backup : backups_.list.backups) described.insert(backup.id);
  for (const catalogue::BrokenBackup& broken : backups_.list.broken) described.insert(broken.id);
  for (const auto& [id, objects] : backups_.objects) {
    if (described.contains(id) || objects.archives.empty() || !is_long_over(id)) continue;
    log::warning(log::kBackupComponent,
                 "There are {} archives in {} and no backup.info: they are of an upload that was "
                 "killed. Remove them if nobody needs them.",
                 objects.archives.size(),
                 catalogue_.layout().shown(catalogue_.layout().backup_prefix(id)));
  }
}

void CloudDeletion::remove_leftover(const BackupInfo& backup, Wals wals) {
  const bool is_half = is_half_deleted(backup);
  log::warning(log::kBackupComponent, "Deleting backup {} of server {}: {}", backup.id.value,
               catalogue_.layout().server_name(),
               is_half ? std::string(catalogue::kDeletionBegun)
                       : fmt::format("it says STARTED, and nothing of it was written in the {} "
                                     "days before others were",
                                     kDeadAfter.count() / 24));
  if (is_half && wals == Wals::plan) {
    return remove_backup(
        backup, WalRemovalInput::Cause::command,
        catalogue::standalone_backups(backups_.list.backups, backups_.annotations, nullptr));
  }
  remove_objects(backup);
  take_out(backup.id);
}

// What cannot be deleted stays for the next time: nobody has asked for it now.
void CloudDeletion::remove_leftovers(Wals wals) {
  tell_of_nameless();
  const std::vector<BackupInfo> backups = backups_.list.backups;
  for (const BackupInfo& backup : backups) {
    const bool is_dead = backup.status == BackupStatus::started && is_long_over(backup.id);
    if (!is_half_deleted(backup) && !is_dead) continue;
    try {
      remove_leftover(backup, wals);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::connection || error.kind() == ErrorKind::interrupted) throw;
      log::warning(log::kBackupComponent, "{}", error.describe_with_hint());
    }
  }
  std::erase_if(backups_.list.backups,
                [&](const BackupInfo& one) { return gone_.contains(one.id); });
}

// Most names are needed by all plans, or taken by the last one: there may be many of both.
bool CloudDeletion::is_doomed(std::string_view name) const {
  if (last_needed_ && name >= *last_needed_) return false;
  return std::any_of(plans_.rbegin(), plans_.rend(),
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
  plan_wals();
  if (plans_.empty()) return;
  // Without one is less than with one.
  const auto [first, last] = std::minmax_element(
      plans_.begin(), plans_.end(), [](const WalRemovalPlan& a, const WalRemovalPlan& b) {
        return a.first_needed < b.first_needed;
      });
  if (first->first_needed) last_needed_ = last->first_needed;
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

// With the objects of all backups: somebody else may have deleted archives, which no status tells.
catalogue::Annotations annotations_of(const CloudBackups& backups) {
  catalogue::Annotations annotations = backups.annotations;
  annotations.objects = backups.objects;
  return annotations;
}

// Those that can be restored, as far as is known.
std::size_t count_done(const CloudBackups& backups) {
  const catalogue::Annotations annotations = annotations_of(backups);
  const auto is_whole = [&](const BackupInfo& backup) {
    return backup.status == BackupStatus::done &&
           catalogue::find_doubt(backup, annotations).empty();
  };
  return static_cast<std::size_t>(std::ranges::count_if(backups.list.backups, is_whole));
}

void warn_of_doubts(const CloudCatalogue& catalogue, const CloudBackups& backups,
                    const catalogue::Annotations& annotations) {
  for (const BackupInfo& backup : backups.list.backups) {
    const std::string doubt =
        backup.is_copy_done() ? catalogue::find_doubt(backup, annotations) : "";
    if (doubt.empty()) continue;
    log::warning(log::kBackupComponent,
                 "Backup {} of server {} does not count for the retention policy, and stays: {}",
                 backup.id.value, catalogue.layout().server_name(), doubt);
  }
}

void refuse_deletion(const CloudCatalogue& catalogue, const CloudBackups& backups,
                     const BackupInfo& backup, const CloudDeletionOptions& options) {
  const std::string& server = catalogue.layout().server_name();
  const std::string skipping =
      fmt::format("Skipping delete of backup {} for server {}", backup.id.value, server);
  if (backups.annotations.keeps.contains(backup.id)) throw refusal_of_kept(catalogue, backup.id);
  const std::size_t redundancy = count_done(backups);
  const bool counts = backup.status == BackupStatus::done &&
                      catalogue::find_doubt(backup, annotations_of(backups)).empty();
  if (options.minimum_redundancy > 0 && counts && options.minimum_redundancy >= redundancy) {
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
  if (backups.list.find(id) == nullptr) {
    log::warning(log::kBackupComponent, "Backup {} does not exist", id.value);
    return;
  }
  deletion.remove_leftovers(CloudDeletion::Wals::plan);
  const BackupInfo* const found = backups.list.find(id);
  if (found == nullptr) return deletion.remove_wals();  // It was one of them.
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
                                        .annotations = annotations_of(backups),
                                        .branches = {},
                                        .now = now};
  if (backups.list.backups.empty()) {
    log::warning(log::kBackupComponent, "There is no backup of server {} in {}: nothing is deleted",
                 catalogue.layout().server_name(),
                 catalogue.layout().shown(catalogue.layout().backups_prefix()));
  }
  warn_of_doubts(catalogue, backups, input.annotations);
  const auto verdicts = catalogue::apply_retention(backups.list.backups, input);
  for (const catalogue::RetentionVerdict& verdict : verdicts) {
    if (verdict.status != catalogue::RetentionStatus::potentially_obsolete) continue;
    log::warning(log::kBackupComponent, "Keeping obsolete backup {} for server {}: {}",
                 verdict.id.value, catalogue.layout().server_name(), verdict.reason);
  }
  const auto standalone = catalogue::standalone_outside_policy(verdicts);
  deletion.remove_leftovers(CloudDeletion::Wals::plan);
  for (const BackupId& id : catalogue::obsolete_in_order(backups.list.backups, verdicts)) {
    // What was left of a deletion is gone already.
    const BackupInfo* const found = backups.list.find(id);
    if (found == nullptr) continue;
    const BackupInfo backup = *found;
    try {
      deletion.remove_backup(backup, WalRemovalInput::Cause::retention, standalone);
    } catch (const KeptBackup& refusal) {  // Since this run began; the others are not.
      log::warning(log::kBackupComponent, "{}", refusal.describe());
    }
  }
  deletion.remove_wals();
}

void delete_cloud_leftovers(const CloudCatalogue& catalogue, const CloudDeletionOptions& options) {
  CloudDeletion deletion(catalogue, catalogue.load(), options);
  deletion.remove_leftovers(CloudDeletion::Wals::leave);
}

}  // namespace barman::cloud
