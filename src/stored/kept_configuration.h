// Configuration files of a cluster that lie outside of its data directory (Debian's
// /etc/postgresql), kept with a backup by streaming: below `base/<id>/configuration`, beside the
// files of the backup, where Barman does not look; in a bucket objects of the same names.
//
// With an encrypted backup they are encrypted as well, "postgresql.conf.gpg". `.sha256sums` has the
// checksums of what is stored, in the form of sha256sum(1).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "catalogue/backup_id.h"
#include "catalogue/backup_info.h"
#include "catalogue/catalogue.h"
#include "encryption/cipher.h"

namespace barman::stored {

// Below the directory of the backup.
inline constexpr const char* kConfigurationDirectory = "configuration";

struct KeptFile {
  // Where a restore lays it, below the data directory: "postgresql.conf", "conf.d/logging.conf".
  std::string name;
  std::string content;
  friend bool operator==(const KeptFile&, const KeptFile&) = default;
};

// nullopt: in clear.
using KeptCoding = std::optional<encryption::Cipher>;

// As a backup is, its configuration is.
inline KeptCoding kept_coding(const catalogue::BackupInfo& backup,
                              const encryption::Cipher& cipher) {
  return backup.encryption ? KeptCoding(cipher) : std::nullopt;
}

// As they lie in clear below the directory of a backup, their checksums among them; by name.
std::map<std::string, std::string> stored_in_clear(const std::vector<KeptFile>& files);

// Replaces what is there. Readable by this user only, durable when it returns; what is encrypted is
// never in clear on a disk.
void keep_configuration(const catalogue::Catalogue& catalogue, const catalogue::BackupId& id,
                        const std::vector<KeptFile>& files, const KeptCoding& coding = {});

struct KeptConfiguration {
  // By name; empty when nothing was kept.
  std::vector<KeptFile> files;
  // Of files that are not what was kept, and are not among `files`: name and what is wrong.
  std::vector<std::pair<std::string, std::string>> problems;
};
// Throws `config` when what is encrypted cannot be decrypted here.
KeptConfiguration read_kept_configuration(const catalogue::Catalogue& catalogue,
                                          const catalogue::BackupId& id,
                                          const KeptCoding& coding = {});

// Without reading more than checksums need: names as a restore lays them, and problems as above.
struct KeptSurvey {
  std::vector<std::string> names;
  std::vector<std::pair<std::string, std::string>> problems;
};
KeptSurvey survey_kept_configuration(const catalogue::Catalogue& catalogue,
                                     const catalogue::BackupId& id);

}  // namespace barman::stored
