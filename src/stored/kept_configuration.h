// Configuration files of a cluster that lie outside of its data directory (Debian's
// /etc/postgresql), kept with a backup by streaming: below `base/<id>/configuration`, beside the
// files of the backup, where Barman does not look; in a bucket objects of the same names.
#pragma once

#include <string>
#include <vector>

#include "catalogue/backup_id.h"
#include "catalogue/catalogue.h"

namespace barman::stored {

// Below the directory of the backup.
inline constexpr const char* kConfigurationDirectory = "configuration";

struct KeptFile {
  // Where a restore lays it, below the data directory: "postgresql.conf", "conf.d/logging.conf".
  std::string name;
  std::string content;
  friend bool operator==(const KeptFile&, const KeptFile&) = default;
};

// Replaces what is there. Readable by this user only, durable when it returns.
void keep_configuration(const catalogue::Catalogue& catalogue, const catalogue::BackupId& id,
                        const std::vector<KeptFile>& files);

// By name; empty when nothing was kept.
std::vector<KeptFile> read_kept_configuration(const catalogue::Catalogue& catalogue,
                                              const catalogue::BackupId& id);

}  // namespace barman::stored
