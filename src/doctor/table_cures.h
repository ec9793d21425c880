// The functions of the table in find_cures.cc: one for a kind of failed check. Internal to doctor/.
#pragma once

#include <vector>

#include "check/check_server.h"
#include "doctor/cure.h"
#include "doctor/site.h"

namespace barman::doctor {

// WAL that does not arrive, and where it waits.
std::vector<Cure> wal_archive_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> leftover_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> queue_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> slot_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> receiver_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> archive_mode_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> archive_command_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> archiving_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> archiver_error_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> last_run_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> index_cures(const check::CheckResult& failure, const Site& site);

// PostgreSQL: rights, settings, which one it is.
std::vector<Cure> postgres_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> streaming_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> grant_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> wal_level_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> standby_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> system_id_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> timeout_cures(const check::CheckResult& failure, const Site& site);

// The catalogue, the configuration, the host.
std::vector<Cure> directory_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> retention_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> backup_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> small_backup_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> failed_backup_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> catalogue_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> encryption_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> option_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> abandoned_backup_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> exclusive_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> ssh_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> label_cures(const check::CheckResult& failure, const Site& site);
std::vector<Cure> data_directory_cures(const check::CheckResult& failure, const Site& site);

}  // namespace barman::doctor
