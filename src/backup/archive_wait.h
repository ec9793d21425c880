// The wait for the WAL of a backup by the low-level API. PostgreSQL would wait itself, in
// pg_backup_stop(true), but it looks only once a second, says nothing for a minute, and on a
// standby that archives nobody would close the segment meanwhile.
#pragma once

#include <string_view>

#include "base/progress.h"
#include "catalogue/backup_info.h"
#include "postgres/connection.h"
#include "postgres/queries.h"
#include "server/server.h"

namespace barman::backup {

// Whether a server that has archived `last` has archived segment `wal_name`, too. Names of other
// files than segments and backup histories say nothing.
bool is_archived_by(std::string_view last, std::string_view wal_name);

// Returns as soon as info.end_wal is here or PostgreSQL has archived it; at once where PostgreSQL
// archives nothing. The last segment is closed already, on a standby by its primary, which is asked
// again after primary_checkpoint_timeout. Tells what it waits for, in the metadata, too. The backup
// is complete whatever happens here: when the server cannot be asked any more, this ends with a
// line in the log. Throws `interrupted`.
void wait_until_archived(const server::Server& server, const postgres::ServerSettings& settings,
                         const catalogue::BackupInfo& info, postgres::Connection& connection,
                         Messages& messages);

}  // namespace barman::backup
