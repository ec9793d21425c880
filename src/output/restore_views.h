// What `restore` prints, with --dry-run before it begins, and when it is done.
#pragma once

#include <string>
#include <vector>

#include "output/reporter.h"
#include "restore/restore_backup.h"
#include "restore/restore_plan.h"
#include "restore/review_configuration.h"

namespace barman::output {

// Text, or keys of the JSON document: backup_id, chain, destination, target, tablespaces, wal,
// bytes_to_read, bytes_to_write, expected_seconds, expected_seconds_source, recovery_settings,
// warnings.
void write_restore_plan(Reporter& reporter, const restore::RestorePlan& plan);

// What was done to the configuration of a restored cluster, and what its user has to look at. Each
// part begins with an empty line; nothing when there is nothing to tell.
std::vector<std::string> configuration_lines(const restore::ConfigurationReview& review,
                                             const std::vector<std::string>& missing_files);
// For people, after a restore: where recovery will end, what it does there, and what is to be done
// then. Each begins with an empty line.
std::vector<std::string> recovery_lines(const restore::RestoreResult& result);
// With settings of recovery in that file, which fetch WAL.
std::string restore_command_advice(const std::string& settings_file);

}  // namespace barman::output
