#include "backup/abandoned_backups.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "backup/free_space.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file_lock.h"
#include "base/log.h"
#include "base/log_components.h"
#include "catalogue/cloud_catalogue.h"
#include "catalogue/locks.h"
#include "object_store/object_store.h"
#include "server/server_storage.h"

namespace barman::backup {

namespace fs = std::filesystem;

using catalogue::BackupStatus;

void fail_abandoned_backups(const server::Server& server, const catalogue::BackupList& list,
                            Messages& messages) {
  for (const catalogue::BackupInfo& abandoned : list.backups) {
    if (abandoned.status != BackupStatus::empty && abandoned.status != BackupStatus::started)
      continue;
    catalogue::BackupInfo info = abandoned;
    info.status = BackupStatus::failed;
    info.error = "failure copying files (the backup process ended before the backup was complete)";
    ReservedRoom::remove_left(server, info.id);
    server.catalogue().save(info);
    abort_uploads(server, info.id);
    messages.warning("Backup " + info.id.value + " of server " + server.name() +
                     " was abandoned by its process and is now marked as FAILED");
  }
}

void abort_uploads(const server::Server& server, const catalogue::BackupId& id) {
  const auto bucket = server.catalogue().bucket();
  if (!bucket) return;
  try {
    const auto store = server.find_bucket(server::ObjectsOf::backups);
    for (const auto& upload : store->list_unfinished(bucket->layout().backup_prefix(id))) {
      store->abort_unfinished(upload);
    }
  } catch (const Error& error) {  // Described in the header.
    if (error.kind() == ErrorKind::interrupted) throw;
    log::warning(log::kBackupComponent, "unfinished uploads of backup {} of server {} stay: {}",
                 id.value, server.name(), error.describe());
  }
}

namespace {

// Requests of one run.
constexpr std::size_t kMostUploads = 1000;
constexpr std::chrono::hours kBusyAge = 7 * object_store::kLeftoverAge;

// Where WAL of the server may have been uploaded in parts; nullptr: nowhere.
std::shared_ptr<object_store::ObjectStore> find_wal_bucket(const server::Server& server) {
  if (auto store = server.find_bucket(server::ObjectsOf::wal)) return store;
  if (!server.config().has_cloud_basebackups()) return nullptr;
  config::ServerConfig config = server.config();
  config.wals_directory = config.basebackups_directory;
  return object_store::open_store(
      server::bucket_url(config, server::ObjectsOf::wal),
      server::bucket_options(config, server::ObjectsOf::wal, server.interrupt()));
}

struct OldUploads {
  std::shared_ptr<object_store::ObjectStore> store;
  std::vector<object_store::UnfinishedUpload> uploads;
};

OldUploads find_wal_uploads(const server::Server& server, std::chrono::hours age) {
  OldUploads old{.store = find_wal_bucket(server), .uploads = {}};
  if (!old.store) return old;
  const std::int64_t begun_before =
      server.clock().now().microseconds - std::chrono::microseconds(age).count();
  old.uploads = old.store->list_leftovers("", {.microseconds = begun_before}, kMostUploads);
  return old;
}

// Those that `find` gives. How many went.
std::size_t abort_wal_uploads(const server::Server& server,
                              const std::function<OldUploads()>& find) {
  try {
    const OldUploads old = find();
    for (const auto& upload : old.uploads) old.store->abort_unfinished(upload);
    if (old.uploads.empty()) return 0;
    log::info(log::kBackupComponent, "{} unfinished uploads of WAL of server {} were given up",
              old.uploads.size(), server.name());
    return old.uploads.size();
  } catch (const Error& error) {  // Described in the header.
    if (error.kind() == ErrorKind::interrupted) throw;
    log::warning(log::kBackupComponent, "unfinished uploads of WAL of server {} stay: {}",
                 server.name(), error.describe());
    return 0;
  }
}

}  // namespace

void abort_old_wal_uploads(const server::Server& server) {
  abort_wal_uploads(server, [&] { return find_wal_uploads(server, object_store::kLeftoverAge); });
}

void abort_old_wal_uploads_daily(const server::Server& server) {
  if (!server.config().has_cloud_wals() && !server.config().has_cloud_basebackups()) return;
  const fs::path note = server.locations().backup_directory / ".uploads-looked-at";
  const std::int64_t now = server.clock().now().microseconds / 1'000'000;
  constexpr std::int64_t kDay = std::chrono::seconds(std::chrono::hours(24)).count();
  const auto status = find_status(note);
  const bool is_done =
      status && status->st_mtim.tv_sec <= now && now - status->st_mtim.tv_sec < kDay;
  if (is_done) return;
  // Of whoever archives, while the lock is ours: whatever is begun later is not among them, so WAL
  // need not wait until they are gone.
  const std::size_t gone = abort_wal_uploads(server, [&] {
    const std::optional<FileLock> archiving =
        FileLock::try_lock(catalogue::archive_wal_lock(server.locks()));
    return find_wal_uploads(server, archiving ? object_store::kLeftoverAge : kBusyAge);
  });
  if (gone < kMostUploads) write_file_durably(note, "");
}

}  // namespace barman::backup
