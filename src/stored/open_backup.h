// Opens a backup of the catalogue for reading.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/interrupt.h"
#include "catalogue/backup_info.h"
#include "catalogue/catalogue.h"
#include "encryption/cipher.h"
#include "stored/archive_tree.h"
#include "stored/content_tree.h"

namespace barman::stored {

struct BackupTree {
  std::uint32_t oid = 0;  // 0 = the data directory
  std::shared_ptr<const ContentTree> content;
  bool is_data_directory() const { return oid == 0; }
  // Of its files in the manifest: "" or "pg_tblspc/16384/".
  std::string manifest_prefix() const;
};

// What the one who opens it is going to read.
enum class WantedParts { some, everything };

struct OpenOptions {
  // Everything comes quickest from whole archives of a bucket, also where an index leads to parts.
  WantedParts wanted = WantedParts::some;
  // A chain of backups is read here and there; one backup from its beginning to its end.
  WithoutIndex without_index = WithoutIndex::give_up;
  Interrupt interrupt;
  // For encrypted archives.
  encryption::Cipher cipher = {};
};

// The files of this backup alone, as they were received: an incremental one has INCREMENTAL files.
// Tablespaces first, the data directory last.
std::vector<BackupTree> open_backup(const catalogue::Catalogue& catalogue,
                                    const catalogue::BackupInfo& backup,
                                    const OpenOptions& options = {});

}  // namespace barman::stored
