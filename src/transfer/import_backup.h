// Registers a backup from a file that export_backup() or Barman made.
//
// The file is read once, unpacked into a staging directory beside the backups while its checksum is
// computed, and nothing is visible before all of it was checked. What becomes visible: WAL files,
// their lines, the directory of the backup, `keep`, and at last the metadata: a crash in between
// leaves WAL that nobody needs and a directory without metadata, which the next import replaces.
#pragma once

#include <filesystem>

#include "base/progress.h"
#include "catalogue/backup_id.h"
#include "server/server.h"

namespace barman::transfer {

// Throws with the texts of Barman. Takes the server's backup lock and that of the backup.
catalogue::BackupId import_backup(const server::Server& server,
                                  const std::filesystem::path& tarball, Messages& messages,
                                  Progress& progress);

}  // namespace barman::transfer
