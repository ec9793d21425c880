// The backups of one server in a bucket: what is there, in one listing and one small object each,
// and their annotations. Nothing is cached: each call shows what others did meanwhile.
//
// A backup is what has a `backup.info`. It is DONE when that says so; one that says STARTED is
// being made, or was killed. Objects without a `backup.info` are leftovers, and no backup.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catalogue/backup_info.h"
#include "catalogue/backup_objects.h"
#include "catalogue/bucket_layout.h"
#include "catalogue/catalogue.h"
#include "storage/storage.h"

namespace barman::catalogue {

// The `error` of a FAILED backup whose archives may be gone already.
inline constexpr const char* kDeletionBegun = "its deletion has begun";

struct CloudBackups {
  BackupList list;
  Annotations annotations;
  std::map<BackupId, BackupObjects> objects;
  std::set<BackupId> described;  // those that have a `backup.info`
  // Of the broken ones those that are not damaged: the store does not give their `backup.info`.
  std::set<BackupId> withheld;

  const BackupObjects& objects_of(const BackupId& id) const;
  // Of all backups.
  std::int64_t newest_seconds() const;
};

class CloudCatalogue {
 public:
  // `storage` lives longer. `doubled` is nullptr, or the same place as "PATH//": Barman puts the
  // annotations of a URL that ends in a slash there. What is kept in one of them is kept. `notes`
  // is nullptr, or the same place as `storage`, where the latter locks what is written: there go
  // keeps and marks of deletions.
  CloudCatalogue(storage::Storage& storage, BucketLayout layout,
                 storage::Storage* doubled = nullptr, storage::Storage* notes = nullptr)
      : storage_(storage),
        notes_(notes != nullptr ? *notes : storage),
        layout_(std::move(layout)),
        doubled_(doubled) {}

  const BucketLayout& layout() const { return layout_; }
  storage::Storage& storage() const { return storage_; }

  // What cannot be read, or what the store withholds while it gives others, is among the broken
  // ones, and a warning of the log.
  CloudBackups load() const;
  // Objects and annotations only, in one listing: the list of backups stays empty.
  CloudBackups load_annotations() const;
  // nullopt when there is no `backup.info`; throws `corrupt` when it cannot be read.
  std::optional<BackupInfo> find(const BackupId& id) const;
  BackupObjects list_objects(const BackupId& id) const;
  // Removes all of them, and the annotations; `backup.info` stays.
  void remove_objects(const BackupId& id) const;
  // What a user typed: an ID is taken as it is; a word or a name is looked for. Throws `not_found`
  // ("Unknown backup …"), `conflict` for a name of several, or while some are withheld.
  BackupId resolve(std::string_view word) const;

  void save(const BackupInfo& info) const;
  // FAILED, with kDeletionBegun: nobody takes half a backup for a whole one. That credentials may
  // delete and not write is told by the log.
  void save_as_deleted(BackupInfo info) const;
  // Throws `conflict` when there is a backup of that ID.
  void create(const BackupInfo& info) const;
  void remove(const BackupId& id) const;

  std::optional<KeepTarget> find_keep(const BackupId& id) const;
  // Throws `conflict`, and leaves no keep, when there is no such backup (any more) or its deletion
  // has begun meanwhile: who deletes marks it (save_as_deleted) before looking for a keep.
  void write_keep(const BackupId& id, KeepTarget target) const;
  void release_keep(const BackupId& id) const;

 private:
  struct KeepObject {
    const storage::Storage* place = nullptr;
    BackupId id;
    std::uint64_t size_bytes = 0;
  };

  // Of all that are described.
  void read_infos(CloudBackups& result) const;
  void read_keeps(const std::vector<KeepObject>& kept, Annotations& annotations) const;

  storage::Storage& storage_;
  storage::Storage& notes_;
  BucketLayout layout_;
  storage::Storage* doubled_;
};

}  // namespace barman::catalogue
