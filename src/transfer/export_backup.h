// One backup with the WAL that it needs as a single tar file that another server can import. The
// backup is read once, through the compressor into a temporary file; it gets its name, which holds
// its checksum, when it is complete and durable.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/progress.h"
#include "catalogue/backup_info.h"
#include "compression/algorithm.h"
#include "server/server.h"

namespace barman::transfer {

struct ExportRequest {
  // As the user typed it; for messages.
  std::string backup_word;
  std::filesystem::path output_directory;
  std::optional<compression::Algorithm> compression;
  // Of the algorithm; its default when unset.
  std::optional<int> compression_level;
  // JSON of the program and host, for whoever finds the file ("barman.json").
  std::string program_facts;
};

// Throws with the texts of Barman when the backup cannot be exported, before anything is
// written. Returns the path of the file (0600).
std::filesystem::path export_backup(const server::Server& server,
                                    const catalogue::BackupInfo& backup,
                                    const ExportRequest& request, Messages& messages,
                                    Progress& progress);

// The levels that `compression` takes; throws `usage` "Invalid compression level '0' for algorithm
// 'gzip'. Valid levels are: …" otherwise.
int parse_export_level(compression::Algorithm algorithm, const std::string& level);

}  // namespace barman::transfer
