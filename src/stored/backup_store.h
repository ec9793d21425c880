// The files of the backups of one server: the one place that knows where they lie below
// `base/<id>`, on this host or in a bucket, and in which form. Their metadata is the catalogue's.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "catalogue/backup_info.h"
#include "catalogue/backup_size.h"
#include "catalogue/catalogue.h"
#include "stored/backup_writer.h"
#include "stored/manifest_index.h"
#include "stored/open_backup.h"

namespace barman::stored {

class BackupStore {
 public:
  // `catalogue` must live longer.
  explicit BackupStore(const catalogue::Catalogue& catalogue) : catalogue_(catalogue) {}

  BackupDirectories directories(const catalogue::BackupId& id) const;
  // Removes what an earlier attempt to write the backup has left: the data directory, and the
  // directories of tablespaces beside it. The data directory is there then, empty: a backup that
  // fails before anything comes has its place as every other.
  void clear(const catalogue::BackupId& id) const;
  // For a backup that is being made.
  std::unique_ptr<BackupWriter> create(const catalogue::BackupId& id,
                                       const WriterOptions& options) const;
  // The same for the copy of a backup from elsewhere, whatever its form. Nothing of an earlier one
  // is left.
  std::unique_ptr<BackupWriter> create_copy(const catalogue::BackupId& id, CopiedLinks links) const;
  // Adds to such a copy, beside others that do. Links are made as they are.
  std::unique_ptr<BackupWriter> continue_copy(const catalogue::BackupId& id) const;
  // Makes a durable tree in `staged`, a directory beside those of backups, the files of this
  // backup, durably. What an earlier attempt has left is removed first.
  void publish(const std::filesystem::path& staged, const catalogue::BackupId& id) const;

  // See open_backup().
  std::vector<BackupTree> open(const catalogue::BackupInfo& backup,
                               const OpenOptions& options = {}) const;
  // nullopt when it has none. Throws `corrupt`.
  std::optional<ManifestIndex> open_manifest(const catalogue::BackupId& id) const;
  // A file of this host, which need not be there. Of a backup in a bucket it is a copy, which is
  // fetched when it is missing.
  std::filesystem::path manifest_path(const catalogue::BackupId& id) const;
  // Its sizes on disk, or in the bucket.
  catalogue::BackupSize facts(const catalogue::BackupId& id) const;
  // With its annotations; a missing one is no error.
  void remove(const catalogue::BackupId& id) const;

 private:
  const catalogue::Catalogue& catalogue_;
};

}  // namespace barman::stored
