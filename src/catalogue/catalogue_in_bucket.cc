// What Catalogue does where the backups of a server lie in a bucket.
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "catalogue/catalogue.h"
#include "catalogue/cloud_catalogue.h"

namespace barman::catalogue {

std::string find_gap(const Annotations& annotations, std::string_view server_name) {
  if (!annotations.unread_bucket.empty()) {
    return fmt::format("whether a backup is kept cannot be told: {}", annotations.unread_bucket);
  }
  if (annotations.unknown_backups.empty()) return {};
  const std::size_t more = annotations.unknown_backups.size() - 1;
  return fmt::format(
      "the bucket holds backup {}{} of server {}, which this host does not know "
      "('barman rebuild-catalogue {}' adds it)",
      annotations.unknown_backups.front().value, more == 0 ? "" : fmt::format(" and {} more", more),
      server_name, server_name);
}

void require_complete(const Annotations& annotations, std::string_view server_name) {
  std::string gap = find_gap(annotations, server_name);
  if (gap.empty()) return;
  const bool is_away = !annotations.unread_bucket.empty();
  throw Error(is_away ? ErrorKind::connection : ErrorKind::conflict, std::move(gap),
              is_away ? "Nothing is deleted meanwhile; try again when the bucket can be reached."
                      : "Nothing is deleted meanwhile.");
}

std::optional<CloudCatalogue> Catalogue::bucket() const {
  if (!locations_.bucket) return std::nullopt;
  // Kept open by who opens it.
  storage::Storage& storage = *locations_.bucket->open();
  const auto& open_notes = locations_.bucket->open_notes;
  return CloudCatalogue(storage, BucketLayout::of_backups(server_name(), locations_.bucket->path),
                        nullptr, open_notes ? open_notes().get() : nullptr);
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

std::vector<BackupId> Catalogue::list_unknown(const CloudBackups& there,
                                              const std::set<BackupId>& being_deleted) const {
  std::vector<BackupId> unknown;
  for (const BackupId& id : there.described) {
    if (being_deleted.contains(id) || find_status(new_info_path(id))) continue;
    // Unless it was deleted while the bucket was listed; one that is there is reason enough.
    if (!unknown.empty() || bucket()->storage().find(bucket()->layout().backup_info_key(id))) {
      unknown.push_back(id);
    }
  }
  return unknown;
}

void Catalogue::ask_bucket(Annotations& annotations) const {
  // Listings show what this host knows when the bucket is away; who deletes looks at unread_bucket.
  try {
    add_bucket_annotations(bucket()->load_annotations(), annotations);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    annotations.unread_bucket = error.describe();
    log::warning(log::kCatalogueComponent, "the bucket of server {} cannot be read: {}",
                 server_name(), error.describe());
  }
}

void Catalogue::add_bucket_annotations(CloudBackups&& there, Annotations& annotations) const {
  for (const auto& [id, target] : there.annotations.keeps) {
    const auto [entry, is_new] = annotations.keeps.emplace(id, target);
    if (!is_new && target == KeepTarget::full) entry->second = target;
  }
  std::vector<BackupId> unknown;
  if (!reads_bucket()) unknown = list_unknown(there, annotations.being_deleted);
  std::set<BackupId> with_archives;
  for (const auto& [id, objects] : there.objects) {
    if (!objects.archives.empty()) with_archives.insert(id);
  }
  annotations.unknown_backups = std::move(unknown);
  annotations.directories = std::move(with_archives);
  annotations.objects = std::move(there.objects);
}

std::filesystem::path Catalogue::manifest_copy_path(const BackupId& id) const {
  return locations_.meta_directory / fmt::format("{}-{}", id.value, kManifestObject);
}

std::string Catalogue::shown_directory(const BackupId& id) const {
  if (!locations_.bucket) return base_directory(id).string();
  return fmt::format("{}/{}", locations_.bucket->path, id.value);
}

}  // namespace barman::catalogue
