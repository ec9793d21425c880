#include "sync/passive_cron.h"

#include <unistd.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/error.h"
#include "base/file_lock.h"
#include "base/log.h"
#include "base/log_components.h"
#include "catalogue/locks.h"
#include "sync/primary_keeps.h"
#include "sync/primary_node.h"
#include "sync/sync_backup.h"
#include "sync/sync_wals.h"
#include "wal_archive/known_cluster.h"
#include "wal_transfer/processes.h"

namespace barman::sync {
namespace {

constexpr std::size_t kAnswerReadSize = std::size_t{256} << 10;

bool is_held(const std::filesystem::path& lock) { return FileLock::holder(lock).has_value(); }

void store_answer(const Fd& answer, const std::filesystem::path& path) {
  AtomicFile file(path);
  std::vector<std::byte> buffer(kAnswerReadSize);
  while (const std::size_t size = read_full(answer, buffer, path)) {
    file.write(Bytes(buffer).first(size));
  }
  file.commit();
}

// Checked before it takes the place of the last answer.
PrimaryInfo ask(const server::Server& server, Messages& messages) {
  server.create_directories();
  const std::filesystem::path path = primary_info_path(server.locations());
  const auto begun = std::chrono::steady_clock::now();
  const Fd answer = ask_primary(server, load_sync_position(server.locations()), messages);
  PrimaryInfo primary = read_primary_info(answer, path);
  const std::chrono::duration<double> duration = std::chrono::steady_clock::now() - begun;
  log::info(log::kServerComponent,
            "server '{}': the primary node, reached by \"{}\", tells {} backups and {} WAL files "
            "that may be new (in {:.1f} seconds)",
            server.name(), primary_host(server.config()).describe(), primary.backups.size(),
            primary.wal_count, duration.count());
  if (::lseek(answer.get(), 0, SEEK_SET) != 0) throw_errno("cannot read the primary's answer");
  store_answer(answer, path);
  return primary;
}

// Of backups that were deleted on the primary while they were copied.
void remove_left_overs(const server::Server& server, const PrimaryInfo& primary,
                       const LocalBackups& local, DaemonOutputs outputs, Messages& messages) {
  for (const catalogue::BackupInfo& backup : local.backups) {
    if (!local.is_left_over(backup, primary) ||
        is_held(catalogue::sync_backup_lock(server.locks(), backup.id))) {
      continue;
    }
    messages.info(
        fmt::format("Removing what was copied of backup {} for server {}: it is not on the "
                    "primary node any more",
                    backup.id.value, server.name()));
    wal_transfer::start_child(server, {"sync-backup", server.name(), backup.id.value}, outputs);
  }
}

void start_backup(const server::Server& server, const PrimaryInfo& primary, DaemonOutputs outputs,
                  Messages& messages) {
  const LocalBackups local = gather_local_backups(server);
  remove_left_overs(server, primary, local, outputs, messages);
  for (const catalogue::BackupInfo& backup : primary.backups) {
    const SyncVerdict verdict = local.judge(backup.id, primary);
    if (verdict == SyncVerdict::synced) continue;
    if (backup.parent_backup_id) refresh_children(server, primary, *backup.parent_backup_id);
    if (verdict == SyncVerdict::orphan) {
      log::warning(log::kServerComponent,
                   "backup {} of server '{}' is not copied: its parent is absent on the primary",
                   backup.id.value, server.name());
    }
    if (verdict != SyncVerdict::copy) continue;
    if (is_held(catalogue::sync_backup_lock(server.locks(), backup.id))) {
      return messages.info(
          fmt::format("A synchronisation process for backup {} on server {} is already in progress",
                      backup.id.value, server.name()));
    }
    messages.info(
        fmt::format("Starting copy of backup {} for server {}", backup.id.value, server.name()));
    wal_transfer::start_child(server, {"sync-backup", server.name(), backup.id.value}, outputs);
    return;
  }
  messages.info("No backup synchronisation required for server " + server.name());
}

void start_wals(const server::Server& server, const PrimaryInfo& primary, DaemonOutputs outputs,
                Messages& messages) {
  if (primary.wal_count == 0) {
    return messages.info("No WAL synchronisation required for server " + server.name());
  }
  if (is_held(catalogue::sync_wal_lock(server.locks()))) {
    return messages.info("WAL synchronisation already running for server " + server.name());
  }
  messages.info("Started copy of WAL files for server " + server.name());
  wal_transfer::start_child(server, {"sync-wals", server.name()}, outputs);
}

// Copies lie in directories only; sync-backup and sync-wals would refuse it each minute.
bool is_copied(const server::Server& server, bool is_local, std::string_view what,
               Messages& messages) {
  if (is_local) return true;
  messages.info(
      fmt::format("No {} of server {} are copied from the primary node: this node keeps "
                  "them in a bucket",
                  what, server.name()));
  return false;
}

// Backups and WAL of two clusters in one catalogue would meet under the same names.
std::optional<std::string> find_other_cluster(const server::Server& server,
                                              const PrimaryInfo& primary) {
  const std::optional<std::uint64_t> known = wal_archive::known_system_id(server);
  for (auto backup = primary.backups.rbegin(); backup != primary.backups.rend(); ++backup) {
    if (!backup->systemid) continue;
    if (!known || *backup->systemid == std::to_string(*known)) return std::nullopt;
    return fmt::format(
        "Nothing of server {0} is copied: on the primary node it is another cluster (system "
        "identifier {1}) than here ({2}). After pg_upgrade there, run: barman follow-upgrade {0}",
        server.name(), *backup->systemid, *known);
  }
  return std::nullopt;
}

}  // namespace

void run_passive_cron(const server::Server& server, catalogue::BackupListReader& backups,
                      DaemonOutputs outputs, Messages& messages) {
  PrimaryInfo primary;
  try {
    primary = ask(server, messages);
  } catch (const Error& error) {  // The local backups are taken care of nevertheless.
    if (error.kind() == ErrorKind::interrupted) throw;
    return messages.error("Failed to retrieve the primary node status: " +
                          error.describe_with_hint());
  }
  if (const auto refusal = find_other_cluster(server, primary)) return messages.error(*refusal);
  follow_primary_keeps(server, primary);
  if (is_copied(server, server.locations().has_local_backups, "backups", messages)) {
    start_backup(server, primary, outputs, messages);
  }
  if (is_copied(server, server.locations().has_local_wals, "WAL", messages)) {
    start_wals(server, primary, outputs, messages);
  }
  wal_transfer::start_wal_check(server, backups, outputs, messages);
}

}  // namespace barman::sync
