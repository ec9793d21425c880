#include "backup/close_wal.h"

#include <fmt/format.h>

#include "backup/archive_help.h"
#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "postgres/queries.h"
#include "wal/wal_file_name.h"
#include "wal_transfer/switch_wal.h"

namespace barman::backup {

std::string last_segment_before(wal::TimelineId timeline, wal::Lsn lsn, wal::SegmentSize size) {
  const wal::Lsn last{lsn.value == 0 ? 0 : lsn.value - 1};
  return wal::segment_name(wal::segment_of(timeline, last, size), size);
}

void close_last_segment(const server::Server& server, const catalogue::BackupInfo& info,
                        postgres::Connection& connection, Messages& messages) {
  if (postgres::is_in_recovery(connection)) {
    if (server.config().primary_conninfo) return switch_on_primary(server, messages);
    return messages.warning(fmt::format(
        "Server '{}' is a standby: the backup has all of its WAL when the primary closes "
        "the segment that it writes now. With primary_conninfo it is told to.",
        server.name()));
  }
  wal_transfer::warn_of_ignored_primary(server, messages);
  postgres::switch_wal(connection, info.xlog_segment_size);
  try {
    postgres::create_restore_point(connection, "barman_" + info.id.value);
  } catch (const Error& error) {
    // A convenience for later restores; its absence harms nothing.
    log::debug(log::kBackupComponent, "cannot create restore point: {}", error.describe());
  }
}

}  // namespace barman::backup
