#include "stored/backup_store.h"

#include <string>

#include "base/directory.h"
#include "base/durable.h"
#include "catalogue/cloud_catalogue.h"
#include "postgres/backup_manifest.h"
#include "stored/bucket_writer.h"
#include "stored/kept_configuration.h"

namespace barman::stored {

namespace fs = std::filesystem;

using catalogue::BackupId;

namespace {

constexpr mode_t kBackupDirectory = 0700;

void make_private_directory(const fs::path& path) {
  make_directories(path.parent_path());
  make_directories(path, kBackupDirectory);
}

// Also those that the server no longer has.
void remove_tablespaces(const fs::path& backup_directory) {
  for (const std::string& name : list_directory(backup_directory)) {
    if (name.find_first_not_of("0123456789") == std::string::npos) {
      remove_tree(backup_directory / name);
    }
  }
}

}  // namespace

BackupDirectories directories_below(const fs::path& root) {
  return {.data_directory = root / catalogue::kDataDirectory,
          .tablespace_directory = [root](std::uint32_t oid) { return root / std::to_string(oid); }};
}

fs::path manifest_in(const fs::path& data_directory) {
  return data_directory / postgres::kBackupManifest;
}

BackupDirectories BackupStore::directories(const BackupId& id) const {
  return {.data_directory = catalogue_.data_directory(id),
          .tablespace_directory = [&catalogue = catalogue_, id](std::uint32_t oid) {
            return catalogue.tablespace_directory(id, oid);
          }};
}

namespace {

// All but what was kept before the copy began.
void clear_bucket(const catalogue::CloudCatalogue& bucket, const BackupId& id) {
  const std::string prefix = bucket.layout().backup_prefix(id);
  std::vector<std::string> keys;
  bucket.storage().list(prefix, [&](const storage::ObjectFacts& object) {
    const bool is_kept = object.key == bucket.layout().backup_info_key(id) ||
                         object.key.starts_with(prefix + kConfigurationDirectory + "/");
    if (!is_kept) keys.push_back(object.key);
  });
  bucket.storage().remove(keys);
}

}  // namespace

void BackupStore::clear(const BackupId& id) const {
  if (const auto bucket = catalogue_.bucket()) return clear_bucket(*bucket, id);
  const fs::path data = catalogue_.data_directory(id);
  remove_tree(data);
  remove_tablespaces(data.parent_path());
  make_private_directory(data);
}

std::unique_ptr<BackupWriter> BackupStore::create(const BackupId& id,
                                                  const WriterOptions& options) const {
  if (const auto bucket = catalogue_.bucket()) {
    return make_bucket_writer(
        *bucket, id, options,
        {.form = options.bucket_form, .manifest_copy = catalogue_.manifest_copy_path(id)});
  }
  BackupDirectories places = directories(id);
  make_private_directory(places.data_directory);
  // Archives of tablespaces lie in the data directory; Barman makes these all the same.
  for (const std::uint32_t oid : options.tablespaces) {
    make_private_directory(places.tablespace_directory(oid));
  }
  return options.form == catalogue::StoredForm::tar
             ? make_archive_writer(std::move(places), options)
             : make_plain_writer(std::move(places), options);
}

std::unique_ptr<BackupWriter> BackupStore::create_copy(const BackupId& id,
                                                       CopiedLinks links) const {
  const fs::path root = catalogue_.base_directory(id);
  remove_tree(root);
  make_private_directory(root);
  return make_copy_writer(root, links);
}

std::unique_ptr<BackupWriter> BackupStore::continue_copy(const BackupId& id) const {
  return make_copy_writer(catalogue_.base_directory(id), CopiedLinks::make);
}

void BackupStore::publish(const fs::path& staged, const BackupId& id) const {
  const fs::path target = catalogue_.base_directory(id);
  remove_tree(target);
  // Commit point of the files.
  rename_durably(staged, target);
}

std::vector<BackupTree> BackupStore::open(const catalogue::BackupInfo& backup,
                                          const OpenOptions& options) const {
  return open_backup(catalogue_, backup, options);
}

fs::path BackupStore::manifest_path(const BackupId& id) const {
  if (const auto bucket = catalogue_.bucket()) {
    fs::path copy = catalogue_.manifest_copy_path(id);
    if (!find_status(copy)) fetch_manifest(*bucket, id, copy);
    return copy;
  }
  return manifest_in(catalogue_.data_directory(id));
}

std::optional<ManifestIndex> BackupStore::open_manifest(const BackupId& id) const {
  return ManifestIndex::load(manifest_path(id));
}

catalogue::BackupSize BackupStore::facts(const BackupId& id) const {
  if (const auto bucket = catalogue_.bucket()) {
    std::int64_t size_bytes = 0;
    for (const catalogue::StoredArchive& archive : bucket->list_objects(id).archives) {
      size_bytes += static_cast<std::int64_t>(archive.size_bytes);
    }
    return {.size_bytes = size_bytes, .deduplicated_bytes = size_bytes};
  }
  return catalogue::measure_backup(catalogue_.base_directory(id), catalogue::SyncFiles::no);
}

void BackupStore::remove(const BackupId& id) const {
  const auto bucket = catalogue_.bucket();
  if (!bucket) return remove_tree(catalogue_.base_directory(id));
  bucket->remove_objects(id);
  remove_durably(catalogue_.manifest_copy_path(id));
}

}  // namespace barman::stored
