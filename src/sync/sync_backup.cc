#include "sync/sync_backup.h"

#include <algorithm>

#include <fmt/format.h>

#include "backup/delete_backup.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/file_lock.h"
#include "base/log.h"
#include "catalogue/locks.h"
#include "catalogue/retention.h"
#include "pipeline/file_syncer.h"
#include "pipeline/tree_writer.h"
#include "sync/remote_tree.h"
#include "sync/sync_wals.h"

namespace barman::sync {
namespace fs = std::filesystem;

using catalogue::BackupId;
using catalogue::BackupInfo;
using catalogue::BackupStatus;

namespace {

constexpr std::string_view kComponent = "barman.server";
constexpr mode_t kPrivateDirectory = 0700;

const BackupInfo* find(const std::vector<BackupInfo>& backups, const BackupId& id) {
  const auto found = std::find_if(backups.begin(), backups.end(),
                                  [&](const BackupInfo& backup) { return backup.id == id; });
  return found == backups.end() ? nullptr : &*found;
}

bool would_be_obsolete(const BackupInfo& candidate, std::vector<BackupInfo> local,
                       const catalogue::RetentionInput& policy) {
  std::erase_if(local, [&](const BackupInfo& backup) { return backup.id == candidate.id; });
  const auto place =
      std::upper_bound(local.begin(), local.end(), candidate,
                       [](const BackupInfo& a, const BackupInfo& b) { return a.id < b.id; });
  local.insert(place, candidate);
  const auto verdicts = catalogue::apply_retention(local, policy);
  return std::any_of(verdicts.begin(), verdicts.end(), [&](const auto& verdict) {
    return verdict.id == candidate.id && verdict.status == catalogue::RetentionStatus::obsolete;
  });
}

// Of another time or of this host alone: metadata and locks of old layouts, and the links to
// tablespaces, which lead to places of the primary.
bool stays_there(const pipeline::TarMember& member) {
  if (member.path == "backup.info" || member.path == ".backup.lock") return true;
  return member.type == pipeline::TarMemberType::symlink &&
         (member.path.starts_with("data/pg_tblspc/") ||
          member.path.starts_with("pgdata/pg_tblspc/"));
}

class BackupFiles final : public pipeline::TarVisitor {
 public:
  BackupFiles(const fs::path& root, pipeline::FileSyncer& syncer) : tree_(root, syncer) {}
  void begin_member(const pipeline::TarMember& member) override {
    is_wanted_ = !stays_there(member);
    if (is_wanted_) tree_.begin_member(member);
  }
  void write(Bytes data) override {
    if (is_wanted_) tree_.write(data);
  }
  void end_member() override {
    if (is_wanted_) tree_.end_member();
  }
  void finish() { tree_.finish(); }

 private:
  pipeline::TreeWriter tree_;
  bool is_wanted_ = false;
};

void copy_once(const server::Server& server, const PrimaryInfo& primary, const BackupId& id,
               Progress& progress) {
  const fs::path target = server.catalogue().base_directory(id);
  remove_tree(target);
  make_directories(target.parent_path());
  make_directories(target, kPrivateDirectory);
  pipeline::FileSyncer syncer;
  BackupFiles files(target, syncer);
  receive_tree(server, {.directory = primary.basebackups_directory / id.value}, files, progress);
  files.finish();
  syncer.wait();
  sync_directory(target.parent_path());
}

void copy_with_retries(const server::Server& server, const PrimaryInfo& primary, const BackupId& id,
                       Progress& progress) {
  for (std::int64_t attempt = 0;; ++attempt) {
    try {
      return copy_once(server, primary, id, progress);
    } catch (const Error& error) {  // One attempt of several.
      if (error.kind() == ErrorKind::interrupted ||
          attempt >= server.config().basebackup_retry_times) {
        throw;
      }
      log::warning(kComponent, "attempt {} to copy backup {} has failed: {}", attempt, id.value,
                   error.describe());
      const auto pause_ms = static_cast<int>(server.config().basebackup_retry_sleep * 1000);
      if (sleep_unless_interrupted(pause_ms, server.interrupt())) {
        server.interrupt().throw_if_requested();
      }
    }
  }
}

void copy_backup(const server::Server& server, const PrimaryInfo& primary, const BackupInfo& remote,
                 Progress& progress) {
  server.create_directories();
  BackupInfo info = remote;
  info.error.reset();
  info.status = BackupStatus::syncing;
  server.catalogue().save(info);
  try {
    progress.begin("sync",
                   static_cast<std::uint64_t>(std::max<std::int64_t>(info.size.value_or(0), 0)));
    copy_with_retries(server, primary, info.id, progress);
    progress.end();
  } catch (const Error& error) {
    info.status = BackupStatus::failed;
    info.error = fmt::format("failure syncing server {} backup {}: {}", server.name(),
                             info.id.value, error.describe());
    server.catalogue().save(info);
    throw Error(error.kind(), *info.error, error.hint());
  }
  // Commit point: all files are durable.
  info.status = remote.status;
  server.catalogue().save(info);
  // WAL of older backups than those that were here has been passed over.
  const SyncRequest position = load_sync_position(server.locations());
  if (info.begin_wal && position.last_wal && *info.begin_wal <= *position.last_wal &&
      !fs::exists(
          catalogue::archived_wal_path(server.locations().wals_directory, *info.begin_wal))) {
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
  if (there->parent_backup_id && primary.find_backup(*there->parent_backup_id) == nullptr) {
    return SyncVerdict::orphan;
  }
  if (policy != nullptr && would_be_obsolete(*there, local, *policy)) return SyncVerdict::obsolete;
  return SyncVerdict::copy;
}

LocalBackups gather_local_backups(const server::Server& server) {
  LocalBackups local{.backups = server.catalogue().list_backups().backups};
  const config::ServerConfig& config = server.config();
  if (config.retention_policy && config.retention_policy_mode == "auto") {
    local.policy =
        backup::retention_input(server, local.backups, server.catalogue().list_annotations());
    // It is also asked of backups that are not here yet.
    local.policy->annotations.directories.reset();
  }
  return local;
}

Fd open_primary_info(const server::Server& server) {
  if (!server.config().is_passive()) {
    throw Error(ErrorKind::conflict, fmt::format("server {} is not passive", server.name()));
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
                  fmt::format("Backup {} is absent on {} server", id.value, server.name()));
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
                              id.value, server.name()));
    case SyncVerdict::copy:
      return copy_backup(server, primary, *primary.find_backup(id), progress);
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
