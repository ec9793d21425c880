#include "sync/sync_backup.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "backup/delete_backup.h"
#include "backup/free_space.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file_lock.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/retry.h"
#include "catalogue/locks.h"
#include "catalogue/retention.h"
#include "stored/backup_evidence.h"
#include "sync/backup_copy.h"
#include "sync/primary_keeps.h"
#include "sync/primary_node.h"
#include "sync/sync_wals.h"
#include "wal_archive/wal_archive.h"

namespace barman::sync {
namespace fs = std::filesystem;

using catalogue::BackupId;
using catalogue::BackupInfo;
using catalogue::BackupStatus;

namespace {

constexpr std::string_view kSyncFailure = "failure syncing server ";

const BackupInfo* find(const std::vector<BackupInfo>& backups, const BackupId& id) {
  const auto found = std::lower_bound(
      backups.begin(), backups.end(), id,
      [](const BackupInfo& backup, const BackupId& other) { return backup.id < other; });
  return found == backups.end() || found->id != id ? nullptr : &*found;
}

void insert(std::vector<BackupInfo>& backups, const BackupInfo& backup) {
  std::erase_if(backups, [&](const BackupInfo& other) { return other.id == backup.id; });
  const auto place =
      std::upper_bound(backups.begin(), backups.end(), backup,
                       [](const BackupInfo& a, const BackupInfo& b) { return a.id < b.id; });
  backups.insert(place, backup);
}

// An incremental backup is worth something with all that it builds on: the backup, then its
// ancestors that are not complete here. Empty when one of them is nowhere.
std::vector<const BackupInfo*> list_missing_chain(const BackupInfo& candidate,
                                                  const PrimaryInfo& primary,
                                                  const std::vector<BackupInfo>& local) {
  std::vector<const BackupInfo*> missing = {&candidate};
  const BackupInfo* current = &candidate;
  while (current->parent_backup_id) {
    const BackupInfo* const here = find(local, *current->parent_backup_id);
    const bool is_here = here != nullptr && here->is_copy_done();
    current = is_here ? here : primary.find_backup(*current->parent_backup_id);
    // A circle is no chain either.
    if (current == nullptr || std::find(missing.begin(), missing.end(), current) != missing.end() ||
        missing.size() > local.size() + primary.backups.size()) {
      return {};
    }
    missing.push_back(current);
  }
  std::erase_if(missing, [&](const BackupInfo* backup) {
    return backup != &candidate && find(local, backup->id) == backup;
  });
  return missing;
}

bool would_be_obsolete(const std::vector<const BackupInfo*>& chain, std::vector<BackupInfo> local,
                       const catalogue::RetentionInput& policy) {
  for (const BackupInfo* backup : chain) insert(local, *backup);
  const auto verdicts = catalogue::apply_retention(local, policy);
  return std::any_of(verdicts.begin(), verdicts.end(), [&](const auto& verdict) {
    return verdict.status == catalogue::RetentionStatus::obsolete &&
           std::any_of(chain.begin(), chain.end(),
                       [&](const BackupInfo* backup) { return backup->id == verdict.id; });
  });
}

void copy_with_retries(const server::Server& server, const PrimaryInfo& primary,
                       const BackupInfo& backup, Progress& progress) {
  const config::ServerConfig& config = server.config();
  const RetryRules rules = {.times = config.basebackup_retry_times,
                            .pause = std::chrono::seconds(config.basebackup_retry_sleep)};
  const auto tell = [&](const Error& error, std::int64_t attempt) {
    log::warning(log::kServerComponent, "attempt {} to copy backup {} has failed: {}", attempt,
                 backup.id.value, error.describe());
  };
  retry(
      rules, server.interrupt(), [&] { copy_backup_files(server, primary, backup, progress); },
      tell);
}

// False when it is not known.
bool was_deleted_there(const server::Server& server, const BackupId& id, Messages& messages) {
  try {
    const Fd answer = ask_primary(server, load_sync_position(server.locations()), messages);
    const PrimaryInfo now = read_primary_info(answer, "the answer of the primary node");
    return now.find_backup(id) == nullptr;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    return false;
  }
}

// What a copy fails with when its files go meanwhile is no reason.
Error reason_of_failure(const server::Server& server, const BackupId& id, const Error& error,
                        Messages& messages) {
  if (error.kind() != ErrorKind::remote || !was_deleted_there(server, id, messages)) return error;
  return {
      ErrorKind::not_found, "it was deleted on the primary node while it was copied",
      fmt::format("The next 'barman cron' removes what has arrived of it; so does 'barman delete "
                  "{} {}'.",
                  server.name(), id.value)};
}

void copy_backup(const server::Server& server, const PrimaryInfo& primary, const BackupInfo& remote,
                 Messages& messages, Progress& progress) {
  server.create_directories();
  BackupInfo info = remote;
  info.error.reset();
  info.status = BackupStatus::syncing;
  server.catalogue().save(info);
  backup::ReservedRoom::remove_left(server, info.id);
  backup::ReservedRoom room(server, info.id);
  try {
    progress.begin("sync",
                   static_cast<std::uint64_t>(std::max<std::int64_t>(info.size.value_or(0), 0)));
    copy_with_retries(server, primary, info, progress);
    progress.end();
    stored::require_parts_of(remote, server.catalogue().data_directory(info.id));
  } catch (const Error& error) {
    const Error reason = reason_of_failure(server, info.id, error, messages);
    info.status = BackupStatus::failed;
    info.error = fmt::format("{}{} backup {}: {}", kSyncFailure, server.name(), info.id.value,
                             reason.describe());
    room.free();
    try {
      server.catalogue().save(info);
    } catch (const Error& second) {  // It stays SYNCING, and is copied again.
      log::error(log::kServerComponent, "cannot record the failure of the copy of backup {}: {}",
                 info.id.value, second.describe());
    }
    throw Error(reason.kind(), *info.error, reason.hint());
  }
  // Commit point: all files are durable, and proven.
  info.status = remote.status;
  server.catalogue().save(info);
  // WAL of older backups than those that were here has been passed over.
  const SyncRequest position = load_sync_position(server.locations());
  if (info.begin_wal && position.last_wal && *info.begin_wal <= *position.last_wal &&
      !wal_archive::WalArchive(server).holds(*info.begin_wal)) {
    forget_sync_position(server.locations());
  }
}

}  // namespace

SyncVerdict judge_backup(const BackupId& id, const PrimaryInfo& primary,
                         const std::vector<BackupInfo>& local,
                         const catalogue::RetentionInput* policy) {
  const BackupInfo* const here = find(local, id);
  const BackupInfo* const there = primary.find_backup(id);
  const bool is_complete = here != nullptr && here->is_copy_done();
  if (there == nullptr) {
    if (here == nullptr) return SyncVerdict::absent;
    return is_complete ? SyncVerdict::local_only : SyncVerdict::purge;
  }
  if (is_complete) return SyncVerdict::synced;
  const bool is_orphan =
      there->parent_backup_id && primary.find_backup(*there->parent_backup_id) == nullptr;
  const std::vector<const BackupInfo*> chain = list_missing_chain(*there, primary, local);
  if (is_orphan || chain.empty()) return SyncVerdict::orphan;
  if (policy != nullptr && would_be_obsolete(chain, local, *policy)) return SyncVerdict::obsolete;
  return SyncVerdict::copy;
}

LocalBackups gather_local_backups(const server::Server& server) {
  LocalBackups local{.backups = server.catalogue().list_backups().backups};
  const config::ServerConfig& config = server.config();
  if (config.retention_policy && config.retention_policy_mode == config::RetentionMode::automatic) {
    local.policy =
        backup::retention_input(server, local.backups, server.catalogue().list_annotations());
    // What the primary keeps is worth copying.
    for (const auto& [id, keep] : load_primary_keeps(server.locations())) {
      local.policy->annotations.keeps.try_emplace(id, keep.target);
    }
    // It is also asked of backups that are not here yet.
    local.policy->annotations.directories.reset();
  }
  return local;
}

bool LocalBackups::is_left_over(const catalogue::BackupInfo& backup,
                                const PrimaryInfo& primary) const {
  const bool is_of_a_copy = backup.status == BackupStatus::syncing ||
                            (backup.status == BackupStatus::failed &&
                             backup.error.value_or("").starts_with(kSyncFailure));
  // One that tells none at all may have lost more than a backup.
  return is_of_a_copy && !primary.backups.empty() &&
         judge(backup.id, primary) == SyncVerdict::purge;
}

Fd open_primary_info(const server::Server& server) {
  if (!server.config().is_passive()) {
    throw Error(ErrorKind::usage, fmt::format("server {} is not passive", server.name()),
                "Run this on the passive node: the server whose section has primary_ssh_command.");
  }
  const fs::path path = primary_info_path(server.locations());
  std::optional<Fd> file = find_file(path);
  if (!file) {
    throw Error(ErrorKind::not_found,
                fmt::format("nothing is known of the primary node of server '{}': \"{}\" does not "
                            "exist",
                            server.name(), path.string()),
                "Run 'barman cron', which asks the primary node.");
  }
  return std::move(*file);
}

void sync_backup(const server::Server& server, const BackupId& id, Messages& messages,
                 Progress& progress) {
  const PrimaryInfo primary =
      read_primary_info(open_primary_info(server), primary_info_path(server.locations()));
  const FileLock lock = server::lock_or_throw(
      catalogue::sync_backup_lock(server.locks(), id),
      fmt::format("Another synchronisation process for backup {} of server {} is already running.",
                  id.value, server.name()));
  switch (gather_local_backups(server).judge(id, primary)) {
    case SyncVerdict::absent:
      throw Error(ErrorKind::not_found,
                  fmt::format("Backup {} is absent on {} server", id.value, server.name()),
                  fmt::format("'barman list-backups {}' on the primary node names those that there "
                              "are; 'barman cron' here asks for them.",
                              server.name()));
    case SyncVerdict::purge:
      messages.warning(fmt::format(
          "Backup {} is absent on {} server and is incomplete locally, purging local backup",
          id.value, server.name()));
      backup::delete_backup(server, server.catalogue().load_backup(id), messages);
      return;
    case SyncVerdict::synced:
      return messages.info(
          fmt::format("Backup {} is already synced with {} server", id.value, server.name()));
    case SyncVerdict::local_only:
      return messages.info(fmt::format("Backup {} is absent on {} server: local copy only",
                                       id.value, server.name()));
    case SyncVerdict::obsolete:
      return messages.info(fmt::format(
          "Backup {} of server {} is not copied: the retention policy of this node does not need "
          "it",
          id.value, server.name()));
    case SyncVerdict::orphan:
      throw Error(ErrorKind::conflict,
                  fmt::format("Backup {} is not copied: its parent is absent on {} server",
                              id.value, server.name()),
                  "Copy a full backup instead: this one could not be restored without its parent.");
    case SyncVerdict::copy: {
      // Whoever deletes the backup meanwhile would leave one that is DONE and has no files.
      const FileLock id_lock = server::lock_or_throw(
          catalogue::backup_id_lock(server.locks(), id),
          fmt::format("Another process is holding the lock for backup {} of server {}.", id.value,
                      server.name()));
      return copy_backup(server, primary, *primary.find_backup(id), messages, progress);
    }
  }
}

void refresh_children(const server::Server& server, const PrimaryInfo& primary,
                      const BackupId& id) {
  const BackupInfo* const there = primary.find_backup(id);
  if (there == nullptr) return;
  const std::optional<FileLock> lock =
      FileLock::try_lock(catalogue::backup_id_lock(server.locks(), id));
  if (!lock) return;
  std::optional<BackupInfo> here = server.catalogue().find_backup(id);
  if (!here || here->children_backup_ids == there->children_backup_ids) return;
  here->children_backup_ids = there->children_backup_ids;
  server.catalogue().save(*here);
}

}  // namespace barman::sync
