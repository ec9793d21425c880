// The parent of an incremental backup, by the word on the command line.
#pragma once

#include <string>

#include "base/progress.h"
#include "catalogue/backup_info.h"
#include "server/server.h"

namespace barman::backup {

// "last" and its like mean the newest backup on the way to the timeline on which the server is; any
// other word means what it always means. Newer ones that such a word passes over are told. Throws
// `config` when the server has left the branch of that backup: PostgreSQL would refuse it. Asks the
// server for its timeline, and does without it.
catalogue::BackupInfo choose_parent(const server::Server& server, const std::string& word,
                                    Messages& messages);

// Throws unless an incremental backup of the server can build on `parent`. Asks PostgreSQL.
void require_parent(const server::Server& server, const catalogue::BackupInfo& parent);

}  // namespace barman::backup
