// A backup as the object of its metadata fields: what `-f json backup` puts at the top level, and
// what diagnose and sync-info are made of.
#pragma once

#include "catalogue/backup_info.h"
#include "output/json_value.h"
#include "output/reporter.h"

namespace barman::output {

enum class TimeForm { ctime, iso };

// Keys as in backup.info plus backup_id; backup_name and snapshots_info only when set.
JsonValue backup_fields(const catalogue::BackupInfo& backup, TimeForm times);

// Adds the fields to the top level of the JSON document; nothing on the console.
void write_backup_fields(Reporter& reporter, const catalogue::BackupInfo& backup);

}  // namespace barman::output
