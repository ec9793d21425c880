#include "backup/immutable_backup.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/durable.h"
#include "base/fd.h"
#include "base/immutable.h"
#include "base/shown_time.h"
#include "catalogue/cloud_catalogue.h"
#include "object_store/object_store.h"
#include "server/server_storage.h"

namespace barman::backup {
namespace {

namespace fs = std::filesystem;

// nullopt when there is none.
std::optional<fs::path> find_newest_file(const fs::path& directory) {
  std::optional<fs::path> newest;
  std::tuple<std::time_t, long> newest_time;
  walk_directory(directory, [&](const fs::path& path, EntryKind kind) {
    const auto status = kind == EntryKind::file ? find_status(path, Links::refuse) : std::nullopt;
    if (!status) return Descend::yes;
    const std::tuple time(status->st_ctim.tv_sec, status->st_ctim.tv_nsec);
    if (!newest || time > newest_time) {
      newest = path;
      newest_time = time;
    }
    return Descend::yes;
  });
  return newest;
}

std::string immutable_text(const server::Server& server, const catalogue::BackupId& id,
                           bool is_whole, const Error& refusal) {
  return fmt::format("Backup {} of server {} is still immutable{}: {}", id.value, server.name(),
                     is_whole ? ", and stays as it was" : " in parts, and others are gone",
                     refusal.describe());
}

std::string immutable_hint(const server::Server& server, const catalogue::BackupId& id,
                           bool is_whole) {
  return fmt::format(
      "The storage lets it go when its time is over. {} tried again by each cron; try 'barman "
      "delete {} {}' again then.",
      is_whole ? "What the retention policy removes is" : "It is", server.name(), id.value);
}

}  // namespace

StillImmutable::StillImmutable(const server::Server& server, const catalogue::BackupId& id,
                               bool is_whole, const Error& refusal)
    : Error(ErrorKind::conflict, immutable_text(server, id, is_whole, refusal),
            immutable_hint(server, id, is_whole)),
      is_whole_(is_whole) {}

void remove_immutable_files(const server::Server& server, const catalogue::BackupId& id) {
  const fs::path directory = server.catalogue().base_directory(id);
  bool is_whole = true;
  try {
    if (const std::optional<fs::path> newest = find_newest_file(directory)) {
      remove_durably(*newest);
      is_whole = false;
    }
    remove_tree(directory);
  } catch (const SystemError& error) {
    if (!means_immutable(error.error_number())) throw;
    throw StillImmutable(server, id, is_whole, error);
  }
}

void require_unlocked(const server::Server& server, const catalogue::BackupId& id) {
  const auto store = server.find_bucket(server::ObjectsOf::backups);
  const auto bucket = server.catalogue().bucket();
  const bool may_be_locked =
      server.config().aws_check_object_lock || server.config().aws_object_lock_mode.has_value();
  if (!store || !bucket || !may_be_locked) return;
  std::vector<std::string> keys;
  bucket->storage().list(bucket->layout().backup_prefix(id),
                         [&](const storage::ObjectFacts& object) { keys.push_back(object.key); });
  for (const std::string& key : keys) {
    const auto lock = store->find_lock(key);
    if (!lock) continue;
    std::string reason;
    if (lock->has_legal_hold) {
      reason = "Object has a legal hold and can't be deleted until the legal hold is removed";
    } else if (lock->retain_until && server.clock().now() < *lock->retain_until) {
      reason = fmt::format("Object is locked and can't be deleted until {}",
                           shown_time(*lock->retain_until));
    }
    if (reason.empty()) continue;
    throw StillImmutable(
        server, id, /*is_whole=*/true,
        Error(ErrorKind::permission, fmt::format("Cannot delete locked object {}: {}",
                                                 bucket->layout().shown(key), reason)));
  }
}

}  // namespace barman::backup
