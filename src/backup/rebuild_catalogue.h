// A host that has lost its barman_home gets its catalogue back from the bucket: the metadata of
// backups that are there and not here, and identity.json.
#pragma once

#include <cstddef>
#include <vector>

#include "base/progress.h"
#include "catalogue/catalogue.h"
#include "server/server.h"

namespace barman::backup {

struct RebuiltCatalogue {
  std::vector<catalogue::BackupId> added;
  std::size_t known_count = 0;
  // Told as warnings, too.
  std::vector<catalogue::BrokenBackup> broken;
};

// What is known on this host stays as it is. Nothing in the bucket is changed. Durable when it
// returns; after a crash, call it again. Throws `config` when the backups lie on this host, and
// `conflict` when the bucket holds backups of another cluster than this catalogue.
RebuiltCatalogue rebuild_catalogue(const server::Server& server, Messages& messages);

}  // namespace barman::backup
