// The branches of time of a server's WAL archive, read from wals/ and the end of the index.
#pragma once

#include "catalogue/branches.h"
#include "server/server.h"

namespace barman::wal_archive {

// What cannot be read is told in `damaged`, and stops only who needs it. Reads the names of
// directories and every history file; of the index its last line, and all of it only when a history
// file was archived last.
catalogue::Branches read_branches(const server::Server& server, wal::SegmentSize segment_size);
// With the segment size of the newest backup.
catalogue::Branches read_branches(const server::Server& server,
                                  const std::vector<catalogue::BackupInfo>& backups);

}  // namespace barman::wal_archive
