// The last segment of a backup, on the server.
#pragma once

#include <string>

#include "base/progress.h"
#include "catalogue/backup_info.h"
#include "postgres/connection.h"
#include "server/server.h"
#include "wal/lsn.h"

namespace barman::backup {

// The segment that holds the last byte before `lsn`: for a position on a boundary the previous one.
std::string last_segment_before(wal::TimelineId timeline, wal::Lsn lsn, wal::SegmentSize size);

// Makes the server complete the segment that holds the end of the backup, and marks the place with
// a restore point; a standby cannot, so its primary is asked. `connection` is an SQL session with
// the server.
void close_last_segment(const server::Server& server, const catalogue::BackupInfo& info,
                        postgres::Connection& connection, Messages& messages);

}  // namespace barman::backup
