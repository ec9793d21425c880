// A copy that begins from its beginning when it fails.
#pragma once

#include <functional>
#include <string>

#include "backup/backup_source.h"

namespace barman::backup {

// Calls `attempt`, which removes what an earlier one has left, until it succeeds, at most
// retry_times times more, with retry_sleep between; tells each failure of `program`. Throws what
// the last attempt threw, and at once what another one cannot mend.
void copy_with_retries(const BackupJob& job, const std::string& program,
                       const std::function<void()>& attempt);

}  // namespace barman::backup
