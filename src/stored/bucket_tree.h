// Trees whose archives lie in a bucket. Those of ours have their indexes beside them, and are read
// where something is wanted of them (archive_tree.h); others, and those whose index is damaged,
// are read from their beginning to their end, several at once.
// They may be ours or Barman's, so nothing is taken for granted of their order: a directory may
// come behind its files or in another archive, and a file twice, of which the last one counts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/interrupt.h"
#include "catalogue/backup_info.h"
#include "catalogue/cloud_catalogue.h"
#include "encryption/cipher.h"
#include "stored/content_tree.h"
#include "stored/open_backup.h"

namespace barman::stored {

class BucketTree final : public ContentTree {
 public:
  // `archives` are those of one tree, all of them, by number. The storage of `bucket` lives longer.
  // `cipher` is for encrypted ones.
  BucketTree(catalogue::CloudCatalogue bucket, std::vector<catalogue::StoredArchive> archives,
             std::int64_t mtime_seconds, Interrupt interrupt, encryption::Cipher cipher = {});

  bool has_random_access() const override { return false; }
  // Small files at the root, and pg_control, come when all else was read. Memory: what the store
  // reads ahead of each archive, and 4 MiB for each file that is being read.
  void read_through(const ContentVisitor& visit) const override;
  // Reads all archives.
  void walk(const EntryVisitor& visit) const override;
  // Throw `internal`.
  bool has_file(const std::string& path) const override;
  std::unique_ptr<ContentFile> open(const std::string& path) const override;
  std::string describe(const std::string& path) const override;

 private:
  std::string shown(const catalogue::StoredArchive& archive) const;

  const catalogue::CloudCatalogue bucket_;
  const std::vector<catalogue::StoredArchive> archives_;
  const std::int64_t mtime_seconds_;
  const Interrupt interrupt_;
  const encryption::Cipher cipher_;
};

// As open_backup(). Throws `corrupt` when an archive is missing.
std::vector<BackupTree> open_bucket_backup(const catalogue::CloudCatalogue& bucket,
                                           const catalogue::BackupInfo& backup,
                                           const OpenOptions& options);

// Tries the key and the passphrase on an encrypted archive; throws `config` when they are not those
// of the backup.
void require_decryptable(const catalogue::CloudCatalogue& bucket,
                         const catalogue::BackupInfo& backup, const encryption::Cipher& cipher);

// Throws `corrupt` naming the archive that is missing: that of the data directory, of a tablespace,
// or one between two others.
void require_bucket_archives(const catalogue::CloudCatalogue& bucket,
                             const catalogue::BackupInfo& backup);

}  // namespace barman::stored
