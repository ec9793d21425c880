// The files of a backup in a bucket on their way into an export: straight out of the bucket, as
// those of a plain backup lie on a disk (`backup/data/…`, `backup/<oid>/…`), whatever the form in
// which they are stored, so that everybody who imports exports can import them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/interrupt.h"
#include "base/progress.h"
#include "catalogue/backup_info.h"
#include "catalogue/catalogue.h"
#include "encryption/cipher.h"
#include "pipeline/tar_writer.h"
#include "stored/manifest_index.h"
#include "stored/open_backup.h"

namespace barman::transfer {

// `catalogue` is that of a server whose backups are in a bucket, and lives longer.
struct ExportSource {
  const catalogue::Catalogue& catalogue;
  // For encrypted archives.
  encryption::Cipher cipher = {};
  Interrupt interrupt = {};
};

class ExportedBucket {
 public:
  // Finds the archives, and tries the key of encrypted ones. Throws `config` when they cannot be
  // decrypted here, `corrupt` when one is missing, or the manifest is that of another backup.
  // `backup` lives longer.
  ExportedBucket(ExportSource source, const catalogue::BackupInfo& backup);

  // What `backup.info` says of the files in the export: nothing is compressed or encrypted.
  catalogue::BackupInfo describe() const;
  // Reads every archive once, from its beginning to its end, and compares the files with the
  // manifest. Throws `corrupt` for damage and for files that are missing: `writer` must be given up
  // then.
  void write(pipeline::TarWriter& writer, Progress& progress);

 private:
  class Tree;

  void write_tree(const stored::BackupTree& tree, pipeline::TarWriter& writer, Progress& progress);
  // Where it lies beside the archives only, as generate-manifest puts it.
  void write_manifest(pipeline::TarWriter& writer) const;
  void write_configuration(pipeline::TarWriter& writer) const;
  void require_all_seen() const;
  std::string verify_hint() const;

  const ExportSource source_;
  const catalogue::BackupInfo& backup_;
  std::optional<stored::ManifestIndex> manifest_;
  std::vector<stored::BackupTree> trees_;
  bool has_manifest_in_archives_ = false;
};

}  // namespace barman::transfer
