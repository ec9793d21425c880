#include "wal_transfer/backup_wals.h"

#include <sys/stat.h>

#include <chrono>
#include <ctime>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file_lock.h"
#include "base/hint.h"
#include "base/log.h"
#include "base/log_components.h"
#include "catalogue/gone_backups.h"
#include "catalogue/locks.h"
#include "wal/wal_file_name.h"
#include "wal_archive/remove_wals.h"
#include "wal_archive/wal_archive.h"
#include "wal_archive/wal_removal.h"

namespace barman::wal_transfer {
namespace {

using Outcome = wal_archive::WalCheckResult::Outcome;

BackupWals state_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::unchanged:
      return BackupWals::unchanged;
    case Outcome::waiting:
      return BackupWals::waiting;
    case Outcome::done:
      return BackupWals::done;
    case Outcome::failed:
      return BackupWals::failed;
  }
  return BackupWals::unchanged;
}

// Received by this host, and not archived yet.
bool is_received(const catalogue::CatalogueLocations& locations, const std::string& name) {
  for (const auto& directory : {locations.incoming_directory, locations.streaming_directory}) {
    for (const std::string& file : {name, name + ".partial"}) {
      if (find_status(directory / file, Links::refuse)) return true;
    }
  }
  return false;
}

// Since when the archive knows that `name` is missing: the next segment that is there got its place
// then. A link or a rename counts, the times of the file itself are those of the database host.
std::optional<std::chrono::seconds> time_of_gap(const wal_archive::WalArchive& archive,
                                                const std::string& name, wal::SegmentSize size) {
  const auto missing = wal::parse_segment_name(name, size);
  if (!missing) return std::nullopt;
  const auto last_name = archive.find_last_segment(missing->timeline);
  const auto last = last_name ? wal::parse_segment_name(*last_name, size) : std::nullopt;
  for (wal::Segment next = *missing; last && next < *last;) {
    ++next.number;
    if (const auto status = archive.find_status(wal::segment_name(next, size))) {
      return std::chrono::seconds(status->st_ctim.tv_sec);
    }
  }
  return std::nullopt;
}

// nullopt when it is as it was: names that cannot be parsed, WAL that is still missing.
std::optional<Outcome> find_outcome(const server::Server& server,
                                    const catalogue::BackupInfo& backup) {
  try {
    return wal_archive::check_backup_wal(backup, look_for_wals(server, backup.xlog_segment_size))
        .outcome;
  } catch (const Error&) {
    // The command tells it of the backup that is chosen.
    return std::nullopt;
  }
}

}  // namespace

wal_archive::ArchiveLookup look_for_wals(const server::Server& server,
                                         wal::SegmentSize segment_size) {
  const catalogue::CatalogueLocations locations = server.locations();
  const wal_archive::WalArchive archive(server);
  wal_archive::ArchiveLookup lookup = archive.lookup();
  lookup.can_arrive = [locations, archive, segment_size](const std::string& name) {
    if (is_received(locations, name)) return true;
    const auto known = time_of_gap(archive, name, segment_size);
    const std::chrono::seconds now(::time(nullptr));
    // A clock that was set back is no reason to give up either.
    return known && now - *known < kGapPatience;
  };
  return lookup;
}

std::optional<catalogue::BackupId> choose_for_wal_check(const server::Server& server,
                                                        const catalogue::BackupList& list) {
  std::optional<catalogue::BackupId> oldest_waiting;
  std::optional<catalogue::BackupId> recovered;
  for (const catalogue::BackupInfo& backup : list.backups) {
    const bool is_waiting = backup.status == catalogue::BackupStatus::waiting_for_wals;
    if (!is_waiting && (recovered || !wal_archive::has_failed_for_wal(backup))) continue;
    const auto outcome = find_outcome(server, backup);
    if (is_waiting) {
      if (outcome && *outcome != Outcome::waiting) return backup.id;
      if (!oldest_waiting) oldest_waiting = backup.id;
    } else if (outcome) {
      recovered = backup.id;
    }
  }
  return recovered ? recovered : oldest_waiting;
}

namespace {

// A backup or a deletion that runs meanwhile does it itself, or the next one.
void purge_before(const server::Server& server, const catalogue::BackupInfo& backup,
                  Messages& messages) {
  const std::optional<FileLock> lock = FileLock::try_lock(catalogue::backup_lock(server.locks()));
  if (!lock) return;
  try {
    remove_late_wals_before_first_backup(server, backup);
  } catch (const Error& error) {  // The backup is DONE whatever becomes of older WAL.
    if (error.kind() == ErrorKind::interrupted) throw;
    messages.warning("WAL from before the first backup was not removed: " + error.describe());
  }
}

}  // namespace

BackupWals check_backup_wals(const server::Server& server, const catalogue::BackupId& id,
                             Messages& messages) {
  const std::optional<FileLock> lock =
      FileLock::try_lock(catalogue::backup_id_lock(server.locks(), id));
  if (!lock) {
    messages.info(fmt::format("Another process is holding the lock for backup {} of server {}.",
                              id.value, server.name()));
    return BackupWals::busy;
  }
  // Read under the lock: another process may have judged or deleted it meanwhile.
  catalogue::BackupInfo backup = server.catalogue().load_backup(id);
  const wal_archive::WalCheckResult result =
      wal_archive::check_backup_wal(backup, look_for_wals(server, backup.xlog_segment_size));
  if (result.outcome == Outcome::unchanged) return BackupWals::unchanged;
  const bool was_done = backup.status == catalogue::BackupStatus::done;
  const bool has_failed = backup.status == catalogue::BackupStatus::failed;
  const std::optional<std::string> error_before = backup.error;
  const catalogue::BackupStatus status_before = backup.status;
  wal_archive::apply_wal_check(result, backup);
  // What is right already needs no space, and can be looked at on a read-only file system.
  if (backup.status != status_before || backup.error != error_before) {
    server.catalogue().save(backup);
  }
  messages.debug(fmt::format("Status of backup {} of server {}: {}", id.value, server.name(),
                             catalogue::status_text(backup.status)));
  if (has_failed) {
    log::info(log::kBackupComponent,
              "the WAL that backup {} of server '{}' lacked has come: it is {} now",
              backup.id.value, server.name(), catalogue::status_text(backup.status));
  }
  if (result.outcome == Outcome::failed) {
    messages.error(with_hint(
        "This backup has been marked as FAILED due to the following reason: " + result.reason,
        fmt::format("Take another one: barman backup {}. When the WAL comes after all, "
                    "check-backup takes it back.",
                    server.name())));
  }
  // All WAL of the backup is here, and with it what was closed before.
  if (result.outcome == Outcome::done && !was_done) purge_before(server, backup, messages);
  return state_of(result.outcome);
}

namespace {

// Their names; the reason why there are none goes to the log.
std::vector<std::string> purge(const server::Server& server, const catalogue::BackupList& list,
                               const catalogue::BackupInfo& backup) {
  const catalogue::Annotations annotations = server.catalogue().list_annotations();
  if (const std::string gap = catalogue::find_gap(annotations, server.name()); !gap.empty()) {
    log::warning(log::kBackupComponent, "no WAL is removed before backup {}: {}", backup.id.value,
                 gap);
    return {};
  }
  catalogue::BackupList known = list;
  catalogue::add_nameless(server.catalogue(), annotations, known);
  std::set<catalogue::BackupId> standalone;
  for (const auto& [id, target] : annotations.keeps) {
    if (target == catalogue::KeepTarget::standalone) standalone.insert(id);
  }
  const wal_archive::WalRemovalPlan plan =
      wal_archive::plan_first_backup_purge(known, backup, std::move(standalone));
  if (plan.is_removing) return wal_archive::remove_wals(server, plan).names;
  log::info(log::kBackupComponent, "no WAL is removed before backup {}: {}", backup.id.value,
            plan.reason);
  return {};
}

}  // namespace

void remove_wals_before_first_backup(const server::Server& server,
                                     const catalogue::BackupInfo& backup, Messages& messages) {
  catalogue::BackupList list = server.catalogue().list_backups();
  if (list.previous(backup.id) != nullptr) return;
  catalogue::add_nameless(server.catalogue(), server.catalogue().list_annotations(), list);
  if (!list.broken.empty()) {
    const catalogue::BrokenBackup& broken = list.broken.front();
    return messages.warning(fmt::format(
        "Whether this is the first backup for server {} is not known, and no WAL is removed: the "
        "metadata of backup {} cannot be read: {}",
        server.name(), broken.id.value, broken.reason));
  }
  messages.info(fmt::format("This is the first backup for server {}", server.name()));
  if (server.config().worm_mode) {
    messages.info("'worm_mode' is enabled, skip purging of unused WAL files.");
    return;
  }
  const std::vector<std::string> removed = purge(server, list, backup);
  if (removed.empty()) return;
  messages.info("WAL segments preceding the current backup have been found:");
  for (const std::string& name : removed) {
    messages.info(fmt::format("\t{} from server {} has been removed", name, server.name()));
  }
}

void remove_late_wals_before_first_backup(const server::Server& server,
                                          const catalogue::BackupInfo& backup) {
  const catalogue::BackupList list = server.catalogue().list_backups();
  const catalogue::BackupInfo* const here = list.find(backup.id);
  const bool is_here = here != nullptr && here->is_copy_done();
  if (!is_here || server.config().worm_mode || list.previous(backup.id) != nullptr) return;
  for (const std::string& name : purge(server, list, backup)) {
    log::info(log::kBackupComponent, "{} of server '{}', from before its first backup, was removed",
              name, server.name());
  }
}

}  // namespace barman::wal_transfer
