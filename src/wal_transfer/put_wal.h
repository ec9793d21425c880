// WAL files that another host sends as a tar stream, into `incoming/`. The stream holds the files
// and one list of their checksums, SHA256SUMS or MD5SUMS.
//
// Nothing appears in `incoming/` before the whole stream was verified, and put_wal() returns only
// when all files and the directory are durable: PostgreSQL forgets a segment on exit code 0. A
// file of the same name with other content stays in `errors/`; an existing file is never replaced.
#pragma once

#include "base/progress.h"
#include "server/server.h"

namespace barman::wal_transfer {

// Reads `input` (a pipe or socket) to its end. Throws without having accepted anything; what was
// written until then is removed.
void put_wal(const server::Server& server, int input, Messages& messages);

}  // namespace barman::wal_transfer
