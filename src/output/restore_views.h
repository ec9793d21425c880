// What `restore --dry-run` prints.
#pragma once

#include "output/reporter.h"
#include "restore/restore_plan.h"

namespace barman::output {

// Text, or keys of the JSON document: backup_id, chain, destination, target, tablespaces, wal,
// bytes_to_read, bytes_to_write, expected_seconds, expected_seconds_source, recovery_settings,
// warnings.
void write_restore_plan(Reporter& reporter, const restore::RestorePlan& plan);

}  // namespace barman::output
