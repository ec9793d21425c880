// What Catalogue does where the backups of a server lie in a bucket.
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "catalogue/catalogue.h"
#include "catalogue/cloud_catalogue.h"

namespace barman::catalogue {

void require_complete(const Annotations& annotations) {
  if (annotations.unread_bucket.empty()) return;
  throw Error(ErrorKind::connection,
              fmt::format("whether a backup is kept cannot be told: {}", annotations.unread_bucket),
              "Nothing is deleted meanwhile; try again when the bucket can be reached.");
}

std::optional<CloudCatalogue> Catalogue::bucket() const {
  if (!locations_.bucket) return std::nullopt;
  // Kept open by who opens it.
  storage::Storage& storage = *locations_.bucket->open();
  return CloudCatalogue(storage, BucketLayout::of_backups(server_name(), locations_.bucket->path));
}

bool Catalogue::reads_bucket() const {
  return locations_.bucket && locations_.bucket->copies == MetadataCopies::none;
}

void Catalogue::save_in_bucket(const BackupInfo& info) const {
  const bool has_failed = info.status == BackupStatus::failed;
  if (has_failed && !reads_bucket()) save_copy(info);
  // One that has not begun is nothing for others.
  if (info.status != BackupStatus::empty) {
    try {
      bucket()->save(info);
    } catch (const Error& error) {  // Why it has failed, maybe; elsewhere it is not complete.
      if (!has_failed || error.kind() == ErrorKind::interrupted) throw;
      log::warning(log::kCatalogueComponent, "the bucket does not know that backup {} failed: {}",
                   info.id.value, error.describe());
    }
  }
  if (!has_failed && !reads_bucket()) save_copy(info);
}

void Catalogue::add_bucket_annotations(Annotations& annotations) const {
  // Listings show what this host knows when the bucket is away; who deletes looks at unread_bucket.
  try {
    const CloudBackups there = bucket()->load_annotations();
    for (const auto& [id, target] : there.annotations.keeps) {
      const auto [entry, is_new] = annotations.keeps.emplace(id, target);
      if (!is_new && target == KeepTarget::full) entry->second = target;
    }
    annotations.directories.emplace();
    for (const auto& [id, objects] : there.objects) {
      if (!objects.archives.empty()) annotations.directories->insert(id);
    }
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    annotations.unread_bucket = error.describe();
    log::warning(log::kCatalogueComponent, "the bucket of server {} cannot be read: {}",
                 server_name(), error.describe());
  }
}

std::filesystem::path Catalogue::manifest_copy_path(const BackupId& id) const {
  return locations_.meta_directory / fmt::format("{}-{}", id.value, kManifestObject);
}

std::string Catalogue::shown_directory(const BackupId& id) const {
  if (!locations_.bucket) return base_directory(id).string();
  return fmt::format("{}/{}", locations_.bucket->path, id.value);
}

}  // namespace barman::catalogue
