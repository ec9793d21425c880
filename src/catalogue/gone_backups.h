// Metadata without a backup, and the reverse.
//
// Backups that another program has deleted: Barman before 3.13.2 knows nothing of `meta/`, and
// leaves our metadata there when it removes the directory of a backup and the WAL that only that
// one needed.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "catalogue/catalogue.h"

namespace barman::catalogue {

// Those of which neither the directory nor the first WAL file is there, while another complete
// backup has both: so the disks are there, and nothing of these can be lost any more. A backup
// whose WAL is still there is not among them (find_doubt() tells of it): its directory may lie on a
// disk that is not mounted. Empty where backups or WAL lie in a bucket. `backups` ascending.
std::set<BackupId> find_gone(const Catalogue& catalogue, const std::vector<BackupInfo>& backups);

// Moves them from `list.backups` to `list.gone`.
void take_gone_out(const Catalogue& catalogue, BackupList& list);

// Directories of backups that hold files and have no metadata, neither there nor in `meta/`: what
// WAL they need nobody knows. Empty for a bucket (Annotations::unknown_backups).
std::vector<std::filesystem::path> list_nameless(const Catalogue& catalogue,
                                                 const Annotations& annotations);

// Puts them among `list.broken`, so that no WAL is removed while they are there.
void add_nameless(const Catalogue& catalogue, const Annotations& annotations, BackupList& list);

// What is told of one.
std::string describe_gone(const BackupInfo& backup, std::string_view server_name);

}  // namespace barman::catalogue
