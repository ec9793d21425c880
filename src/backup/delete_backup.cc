#include "backup/delete_backup.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <limits>

#include <fmt/format.h>

#include "backup/abandoned_backups.h"
#include "backup/bucket_owner.h"
#include "backup/immutable_backup.h"
#include "backup/live_timeline.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/file_lock.h"
#include "base/hint.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "catalogue/backup_size.h"
#include "catalogue/backup_turn.h"
#include "catalogue/cloud_catalogue.h"
#include "catalogue/deletion.h"
#include "catalogue/gone_backups.h"
#include "catalogue/retention.h"
#include "server/server_hooks.h"
#include "stored/backup_store.h"
#include "wal_archive/read_branches.h"
#include "wal_archive/remove_wals.h"
#include "wal_archive/wal_removal.h"

namespace barman::backup {
namespace {

using catalogue::BackupId;
using catalogue::BackupInfo;

enum class Cause { command, retention };

// Whoever deletes by mistake, or on purpose, has a backup that can be restored as before. On a full
// disk the metadata has become the mark.
void withdraw_mark(const catalogue::Catalogue& catalogue, const BackupId& id) {
  if (catalogue.find_backup(id)) catalogue.clear_being_deleted(id);
}

void forget_child(const catalogue::Catalogue& catalogue, const BackupInfo& backup) {
  if (!backup.parent_backup_id) return;
  std::optional<BackupInfo> parent = catalogue.find_backup(*backup.parent_backup_id);
  if (!parent || std::erase(parent->children_backup_ids, backup.id) == 0) return;
  catalogue.save(*parent);
}

wal_archive::WalRemovalPlan plan_wals(const server::Server& server,
                                      const catalogue::BackupList& list, const BackupInfo& backup,
                                      Cause cause) {
  const catalogue::Annotations annotations = server.catalogue().list_annotations();
  catalogue::require_complete(annotations, server.name());
  std::optional<catalogue::RetentionInput> policy;
  if (server.config().retention_policy && !annotations.keeps.empty()) {
    policy = retention_input(server, list.backups, annotations);
  }
  catalogue::BackupList known = list;
  catalogue::add_nameless(server.catalogue(), annotations, known);
  return wal_archive::plan_wal_removal(
      {.list = known,
       .deleted = backup.id,
       .standalone =
           catalogue::standalone_backups(list.backups, annotations, policy ? &*policy : nullptr),
       .cause = cause == Cause::retention ? wal_archive::WalRemovalInput::Cause::retention
                                          : wal_archive::WalRemovalInput::Cause::command});
}

// Somebody has kept it on another host, where nobody sees the locks of this one. It is as it was.
class KeptElsewhere final : public Error {
 public:
  explicit KeptElsewhere(std::string message) : Error(ErrorKind::conflict, std::move(message)) {}
};

// Whether something of it may be gone already.
enum class Deletion { begins, goes_on };

void remove_objects(const server::Server& server, const BackupId& id, Deletion deletion) {
  const catalogue::Catalogue& catalogue = server.catalogue();
  const auto bucket = catalogue.bucket();
  require_unlocked(server, id);
  abort_uploads(server, id);
  std::optional<BackupInfo> info = catalogue.find_backup(id);
  if (!info) info = bucket->find(id);
  // For other hosts, and for this one if it loses its catalogue.
  if (info) bucket->save_as_deleted(*info);
  // Behind the mark, which whoever keeps a backup looks for behind the keep.
  if (info && deletion == Deletion::begins && info->is_copy_done() && bucket->find_keep(id)) {
    bucket->save(*info);
    throw KeptElsewhere(catalogue::keep_refusal(id, server.name()));
  }
  stored::BackupStore(catalogue).remove(id);
}

// With worm_mode throws StillImmutable when the storage does not let the files go yet, for a backup
// in a bucket KeptElsewhere.
void remove_files(const server::Server& server, const BackupId& id, Deletion deletion) {
  if (!server.locations().has_local_backups) return remove_objects(server, id, deletion);
  if (server.config().worm_mode) return remove_immutable_files(server, id);
  const std::filesystem::path directory = server.catalogue().base_directory(id);
  try {
    remove_tree(directory);
  } catch (const Error& error) {
    throw Error(error.kind(), error.describe(),
                fmt::format("Please manually remove the '{}' directory", directory.string()));
  }
}

// Backups of copied files share them: those that only the deleted one and the next one had count
// for the next one now.
void measure_next(const catalogue::Catalogue& catalogue, const catalogue::BackupList& list,
                  const BackupInfo& deleted) {
  const BackupInfo* const next = catalogue::next_backup(list.backups, deleted.id);
  if (next == nullptr || next->type() != catalogue::BackupType::rsync) return;
  try {
    std::optional<BackupInfo> info = catalogue.find_backup(next->id);
    if (!info || !info->is_copy_done()) return;
    const catalogue::BackupSize size =
        catalogue::measure_backup(catalogue.base_directory(info->id), catalogue::SyncFiles::no);
    info->size = size.size_bytes;
    info->deduplicated_size = size.deduplicated_bytes;
    catalogue.save(*info);
  } catch (const Error& error) {  // A number for listings.
    log::warning(log::kBackupComponent, "cannot measure backup {} again: {}", next->id.value,
                 error.describe());
  }
}

// One backup, everything of it, under its lock. The order keeps each crash resumable: mark,
// data, WAL, then the metadata (which is what makes the backup exist), the mark last. False when
// it was kept meanwhile (reported). `list` is the catalogue as it is under the lock.
bool delete_one(const server::Server& server, const catalogue::BackupList& list,
                const BackupInfo& backup, Cause cause, Messages& messages) {
  const catalogue::Catalogue& catalogue = server.catalogue();
  const auto begun = std::chrono::steady_clock::now();
  const Timestamp begin_time = server.clock().now();
  messages.info("Deleting backup " + backup.id.value + " for server " + server.name());
  const server::HookVariables variables =
      server::backup_hook_variables(server, list.backups, backup);
  const server::HookScripts scripts = server::make_hooks(server, server::HookKind::deletion);
  // Before the mark: a hook that refuses must leave no deletion that cron would resume.
  scripts.run_pre(variables);
  // Our own `keep` waits for the lock of the backup; that of Barman knows no lock, and hooks may
  // take their time.
  if (catalogue.find_keep(backup.id)) {
    messages.warning(catalogue::keep_refusal(backup.id, server.name()));
    return false;
  }
  const bool has_begun_before = catalogue.is_being_deleted(backup.id);
  catalogue.mark_being_deleted(backup.id);

  const wal_archive::WalRemovalPlan plan = plan_wals(server, list, backup, cause);
  try {
    remove_files(server, backup.id, has_begun_before ? Deletion::goes_on : Deletion::begins);
  } catch (const StillImmutable& refusal) {
    if (refusal.is_whole() && !has_begun_before) withdraw_mark(catalogue, backup.id);
    throw;
  } catch (const KeptElsewhere& refusal) {
    withdraw_mark(catalogue, backup.id);
    messages.warning(refusal.describe());
    return false;
  }
  if (std::filesystem::exists(server.config().basebackups_directory)) {
    sync_directory(server.config().basebackups_directory);
  }
  if (plan.is_removing) {
    messages.info("Delete associated WAL segments:");
    const wal_archive::RemovedWals removed = wal_archive::remove_wals(server, plan);
    for (const std::string& name : removed.names) messages.info("\t" + name);
    if (!removed.left.empty()) messages.info(removed.left);
  } else if (plan.is_damage) {
    messages.warning(fmt::format("No WAL is deleted with backup {} of server {}: {}",
                                 backup.id.value, server.name(), plan.reason));
  } else {
    log::info(log::kBackupComponent, "no WAL removed with backup {}: {}", backup.id.value,
              plan.reason);
  }
  forget_child(catalogue, backup);
  // Commit point: without metadata the backup is gone.
  catalogue.remove_metadata(backup.id);
  catalogue.clear_being_deleted(backup.id);
  measure_next(catalogue, list, backup);

  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  messages.info(fmt::format("Deleted backup {} (start time: {}, elapsed time: {})", backup.id.value,
                            format_ctime(begin_time), human_duration(seconds)));
  scripts.run_post(variables, "");
  return true;
}

// The lock of a backup keeps out whoever restores, checks or keeps it.
struct BackupLock {
  BackupId id;
  std::filesystem::path path;
  FileLock lock;
};

// Empty when another process works on one of them (reported).
std::vector<BackupLock> lock_backups(const server::Server& server, const std::vector<BackupId>& ids,
                                     Cause cause, Messages& messages) {
  std::vector<BackupLock> locks;
  for (const BackupId& id : ids) {
    std::filesystem::path path = catalogue::backup_id_lock(server.locks(), id);
    std::optional<FileLock> lock = FileLock::try_lock(path);
    if (lock) {
      locks.push_back({.id = id, .path = std::move(path), .lock = *std::move(lock)});
      continue;
    }
    if (cause == Cause::retention) {
      messages.warning("Another action is in progress for the backup " + id.value + " of server " +
                       server.name() + ", skipping retention policy application");
    } else {
      messages.error(with_hint("Another process is holding the lock for backup " + id.value +
                                   " of server " + server.name() + ".",
                               catalogue::busy_hint(server.locks(), path)));
    }
    return {};
  }
  return locks;
}

// The locks of a retention run for one backup: with an incremental one also that of its root, so
// that nobody keeps the root of a tree that is being taken down.
std::vector<BackupId> locks_for(const std::vector<BackupInfo>& backups, const BackupInfo& backup) {
  std::vector<BackupId> ids = {backup.id};
  const BackupInfo* root = catalogue::root_of(backups, backup);
  if (root != nullptr && root->id != backup.id) ids.push_back(root->id);
  return ids;
}

bool is_refused(const server::Server& server, const BackupId& id, Messages& messages) {
  messages.error(fmt::format("Cannot delete backup ({} {})", server.name(), id.value));
  return false;
}

void report_failure(const server::Server& server, const BackupId& id, const Error& error,
                    Messages& messages) {
  messages.error(fmt::format("Failure deleting backup {} for server {}.\n{}", id.value,
                             server.name(), error.describe_with_hint()));
  is_refused(server, id, messages);
}

// One backup of the plan that enforce_retention() made. Others do not wait for the lock of the
// server (keep, check-backup, restore): what the plan stands on is looked at again under the lock
// of the backup.
void retire(const server::Server& server, const BackupInfo& planned,
            const std::vector<BackupInfo>& backups_of_plan, catalogue::BackupListReader& reader,
            Messages& messages) {
  const BackupId id = planned.id;
  const std::vector<BackupLock> locks =
      lock_backups(server, locks_for(backups_of_plan, planned), Cause::retention, messages);
  if (locks.empty()) return;
  const DeletionFacts facts = make_deletion_facts(server, reader.read());
  catalogue::require_complete(facts.annotations, server.name());
  const std::vector<BackupInfo>& backups = facts.list.backups;
  const std::vector<BackupId> doomed = list_doomed(facts);
  const BackupInfo* backup = facts.list.find(id);
  if (backup == nullptr || std::find(doomed.begin(), doomed.end(), id) == doomed.end()) {
    log::info(log::kBackupComponent, "backup {} of server {} is not obsolete any more: it stays",
              id.value, server.name());
    return;
  }
  // A child that somebody reads keeps its ancestors; those of a deletion that has begun have lost
  // theirs already.
  if (!facts.annotations.being_deleted.contains(id) &&
      !catalogue::children_of(backups, id).empty()) {
    log::info(log::kBackupComponent,
              "backup {} of server {} stays until its incremental backups can go", id.value,
              server.name());
    return;
  }
  messages.info("Enforcing retention policy: removing backup " + id.value + " for server " +
                server.name());
  if (!delete_one(server, facts.list, *backup, Cause::retention, messages)) return;
  remove_durably(locks.front().path);
}

// What nobody sees in the list of backups, or takes for a backup that is there.
void warn_of_doubts(const server::Server& server, const DeletionFacts& facts, Messages& messages) {
  for (const catalogue::BrokenBackup& broken : facts.list.broken) {
    messages.warning(
        fmt::format("The metadata of backup {} of server {} cannot be read, and no WAL is deleted "
                    "until it can: {}",
                    broken.id.value, server.name(), broken.reason));
  }
  for (const BackupInfo& backup : facts.list.gone) {
    messages.warning(catalogue::describe_gone(backup, server.name()));
  }
  for (const BackupInfo& backup : facts.list.backups) {
    if (facts.annotations.being_deleted.contains(backup.id)) continue;
    if (facts.annotations.objects) {
      const std::string doubt = catalogue::find_doubt(backup, facts.annotations);
      if (doubt.empty()) continue;
      messages.warning(fmt::format(
          "Backup '{}' of server {} cannot be restored, and is left alone: {}, below \"{}/\". "
          "'barman delete {} {}' removes what is left of it.",
          backup.id.value, server.name(), doubt, server.catalogue().shown_directory(backup.id),
          server.name(), backup.id.value));
    } else if (catalogue::is_orphan(backup, facts.annotations)) {
      messages.warning(
          fmt::format("Backup '{}' is an orphan backup, it has metadata and no files. If its files "
                      "are gone for "
                      "good, remove \"{}\" and \"{}\" by hand.",
                      backup.id.value, server.catalogue().base_directory(backup.id).string(),
                      server.catalogue().backup_info_path(backup.id).string()));
    }
  }
  for (const auto& [id, reason] : facts.annotations.unreadable) {
    messages.warning(
        fmt::format("Backup {} of server {} is left alone: {}", id.value, server.name(), reason));
  }
}

void tell_of_immutable(const StillImmutable& refusal, Messages& messages) {
  messages.info(refusal.describe());
  log::warning(log::kBackupComponent, "{}", refusal.describe());
}

bool is_unfinished(const BackupInfo& backup) {
  return backup.status == catalogue::BackupStatus::empty ||
         backup.status == catalogue::BackupStatus::started;
}

// Marks that a deletion left when it was killed after its commit point.
std::vector<BackupId> marks_without_backup(const catalogue::BackupList& list,
                                           const catalogue::Annotations& annotations) {
  std::vector<BackupId> ids;
  for (const BackupId& id : annotations.being_deleted) {
    if (list.find_broken(id) == nullptr && list.find(id) == nullptr) ids.push_back(id);
  }
  return ids;
}

// Of a backup without metadata: on a full disk the metadata became the mark, before its files went.
void finish_deletion(const server::Server& server, const BackupId& id, Messages& messages) {
  const catalogue::Catalogue& catalogue = server.catalogue();
  try {
    const std::optional<FileLock> lock =
        FileLock::try_lock(catalogue::backup_id_lock(server.locks(), id));
    if (!lock) return;
    remove_files(server, id, Deletion::goes_on);
    if (const auto bucket = catalogue.bucket()) bucket->remove(id);
    catalogue.clear_being_deleted(id);
    remove_durably(catalogue::backup_id_lock(server.locks(), id));
  } catch (const StillImmutable& refusal) {  // The next cron tries again.
    tell_of_immutable(refusal, messages);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    report_failure(server, id, error, messages);
  }
}

// Of a backup that another program has deleted: what that one did not know of.
bool forget_gone(const server::Server& server, const BackupId& id, Messages& messages) {
  const std::vector<BackupLock> locks = lock_backups(server, {id}, Cause::command, messages);
  if (locks.empty()) return is_refused(server, id, messages);
  messages.info(fmt::format(
      "Removing the metadata of backup {} of server {}, whose files another program has removed",
      id.value, server.name()));
  server.catalogue().remove_keep(id);
  server.catalogue().remove_metadata(id);
  remove_durably(locks.front().path);
  return true;
}

// nullopt when the backup may not be deleted (reported).
std::optional<catalogue::DeletionPlan> plan_or_refuse(const server::Server& server,
                                                      catalogue::BackupListReader& reader,
                                                      const BackupId& id, Messages& messages) {
  const catalogue::BackupList& list = reader.read();
  const BackupInfo* current = list.find(id);
  if (current == nullptr) throw catalogue::unknown_backup(id.value, server.name());
  // Each run begins with the warning of the configuration itself.
  if (server.config().find_deletion_doubt()) {
    messages.warning(catalogue::redundancy_not_understood(id, server.name()));
    is_refused(server, id, messages);
    return std::nullopt;
  }
  const catalogue::Annotations annotations = server.catalogue().list_annotations();
  catalogue::require_complete(annotations, server.name());
  catalogue::DeletionPlan plan =
      catalogue::plan_deletion(list, *current, annotations, minimum_redundancy_of(server.config()),
                               server.name(), wal_archive::read_branches(server, list.backups));
  if (!plan.refusal) return plan;
  messages.warning(*plan.refusal);
  is_refused(server, id, messages);
  return std::nullopt;
}

}  // namespace

std::uint64_t minimum_redundancy_of(const config::ServerConfig& config) {
  // One that is not understood lets nothing go.
  if (config.find_unusable("minimum_redundancy") != nullptr)
    return std::numeric_limits<std::uint64_t>::max();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, config.minimum_redundancy));
}

catalogue::RetentionRule retention_rule_of(const config::RetentionPolicy& policy) {
  constexpr std::int64_t kDay = 86400;
  if (policy.kind == config::RetentionPolicy::Kind::redundancy) {
    return {.kind = catalogue::RetentionRule::Kind::redundancy,
            .count = static_cast<std::uint64_t>(policy.count)};
  }
  std::int64_t unit_days = 1;
  if (policy.unit == config::RetentionPolicy::Unit::weeks) unit_days = 7;
  if (policy.unit == config::RetentionPolicy::Unit::months) unit_days = 31;
  std::int64_t seconds = 0;
  if (__builtin_mul_overflow(policy.count, unit_days * kDay, &seconds)) {
    seconds = std::numeric_limits<std::int64_t>::max();
  }
  return {.kind = catalogue::RetentionRule::Kind::recovery_window, .seconds = seconds};
}

catalogue::RetentionInput retention_input(const server::Server& server,
                                          const std::vector<BackupInfo>& backups,
                                          const catalogue::Annotations& annotations) {
  const config::ServerConfig& config = server.config();
  return {.rule = retention_rule_of(*config.retention_policy),
          .minimum_redundancy = minimum_redundancy_of(config),
          .annotations = annotations,
          .branches = wal_archive::read_branches(server, backups),
          .now = server.clock().now()};
}

DeletionFacts gather_deletion_facts(const server::Server& server) {
  return make_deletion_facts(server, server.catalogue().list_backups());
}

namespace {

// Right after a recovery the archive does not know yet which backups it has abandoned. A server on
// a timeline that the archive knows changes nothing: an old primary that was started by mistake
// must not make the backups of its successor obsolete.
void ask_for_new_branch(const server::Server& server, DeletionFacts& facts) {
  catalogue::Branches asked = facts.branches;
  ask_live_timeline(server, asked);
  const auto is_newer = [&](const auto& known) {
    return known.empty() || known.rbegin()->first < *asked.live_timeline;
  };
  if (!asked.live_timeline || !is_newer(facts.branches.histories) ||
      !is_newer(facts.branches.last_segments)) {
    return;
  }
  facts.branches = asked;
  facts.retention->branches = std::move(asked);
}

}  // namespace

DeletionFacts make_deletion_facts(const server::Server& server, catalogue::BackupList list) {
  const config::ServerConfig& config = server.config();
  DeletionFacts facts = {
      .server_name = server.name(),
      .list = std::move(list),
      .annotations = server.catalogue().list_annotations(),
      .is_enforced = config.retention_policy_mode == config::RetentionMode::automatic &&
                     !config.find_retention_doubt(),
      .minimum_redundancy = minimum_redundancy_of(config),
      .retention_doubt = config.find_retention_doubt(),
      .deletion_doubt = config.find_deletion_doubt()};
  catalogue::add_nameless(server.catalogue(), facts.annotations, facts.list);
  if (config.retention_policy) {
    facts.retention = retention_input(server, facts.list.backups, facts.annotations);
    facts.branches = facts.retention->branches;
  } else {
    facts.branches = wal_archive::read_branches(server, facts.list.backups);
  }
  if (facts.retention && config.streaming_conninfo && !config.is_passive() &&
      !list_doomed(facts).empty()) {
    ask_for_new_branch(server, facts);
  }
  return facts;
}

bool delete_backup(const server::Server& server, const BackupInfo& backup, Messages& messages) {
  require_bucket_owner(server, "delete backups");
  const std::optional<FileLock> lock =
      catalogue::take_backup_turn(server.locks(), server.interrupt(), messages);
  if (!lock) {
    messages.error(
        with_hint("Another process in running on server " + server.name() +
                      ". Impossible to delete the backup.",
                  catalogue::busy_hint(server.locks(), catalogue::backup_lock(server.locks()))));
    return is_refused(server, backup.id, messages);
  }
  catalogue::BackupListReader reader(server.catalogue());
  if (reader.read().find_gone(backup.id) != nullptr) {
    return forget_gone(server, backup.id, messages);
  }
  const std::optional<catalogue::DeletionPlan> first =
      plan_or_refuse(server, reader, backup.id, messages);
  if (!first) return false;
  // All at once, so that a tree is deleted whole or not at all.
  const std::vector<BackupLock> locks =
      lock_backups(server, first->order, Cause::command, messages);
  if (locks.empty()) return is_refused(server, backup.id, messages);
  // What a keep or a check changed before the locks were taken counts; nothing changes from here.
  const std::optional<catalogue::DeletionPlan> plan =
      plan_or_refuse(server, reader, backup.id, messages);
  if (!plan) return false;
  if (plan->order != first->order) {
    messages.error("The incremental backups of backup " + backup.id.value + " of server " +
                   server.name() + " changed meanwhile. Nothing was deleted; try again.");
    return is_refused(server, backup.id, messages);
  }
  if (plan->warning) messages.warning(*plan->warning);
  for (const BackupLock& held : locks) {
    const catalogue::BackupList& list = reader.read();
    const BackupInfo* doomed = list.find(held.id);
    try {
      if (doomed != nullptr && !delete_one(server, list, *doomed, Cause::command, messages)) {
        return false;
      }
    } catch (const server::HookAborted&) {
      throw;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupted) throw;
      report_failure(server, held.id, error, messages);
      return false;
    }
    remove_durably(held.path);
  }
  return true;
}

void enforce_retention(const server::Server& server, catalogue::BackupListReader& reader,
                       Messages& messages) {
  const DeletionFacts facts = make_deletion_facts(server, reader.read());
  const std::vector<BackupInfo>& backups = facts.list.backups;
  warn_of_doubts(server, facts, messages);
  if (facts.retention_doubt) {
    messages.error(fmt::format("No backup of server '{}' is deleted by a retention policy: {}",
                               server.name(), *facts.retention_doubt));
  }
  const std::vector<BackupId> stale_marks = marks_without_backup(facts.list, facts.annotations);
  std::vector<BackupId> doomed = list_doomed(facts);
  // What may be kept in a bucket that is away stays.
  const std::string gap = catalogue::find_gap(facts.annotations, server.name());
  if (!gap.empty() && !doomed.empty()) {
    messages.warning(fmt::format("Nothing of server {} is deleted: {}", server.name(), gap));
    doomed.clear();
  }
  const bool has_unfinished = std::any_of(backups.begin(), backups.end(), is_unfinished);
  if (doomed.empty() && stale_marks.empty() && !has_unfinished) return;
  const std::optional<FileLock> lock = FileLock::try_lock(catalogue::backup_lock(server.locks()));
  if (!lock) {
    // A backup or a delete is running; the next cron comes in a minute.
    log::info(log::kBackupComponent, "retention of server {} waits for the backup lock",
              server.name());
    return;
  }
  for (const BackupId& id : stale_marks) finish_deletion(server, id, messages);
  fail_abandoned_backups(server, reader.read(), messages);
  for (const BackupId& id : doomed) {
    const BackupInfo* const backup = facts.list.find(id);
    if (backup == nullptr) continue;
    // One backup that cannot be deleted must not keep the others.
    try {
      retire(server, *backup, backups, reader, messages);
    } catch (const StillImmutable& refusal) {  // The next cron tries again.
      tell_of_immutable(refusal, messages);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupted) throw;
      report_failure(server, id, error, messages);
    }
  }
}

}  // namespace barman::backup
