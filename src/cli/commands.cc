#include "cli/commands.h"

#include <array>
#include <utility>

namespace barman::cli {
namespace {

constexpr std::array kFunctions = {
    std::pair<std::string_view, CommandFunction>{"export-backup", run_export_backup},
    std::pair<std::string_view, CommandFunction>{"import-backup", run_import_backup},
    std::pair<std::string_view, CommandFunction>{"verify-backup", run_verify_backup},
    std::pair<std::string_view, CommandFunction>{"verify-wal", run_verify_wal},
    std::pair<std::string_view, CommandFunction>{"sync-backup", run_sync_backup},
    std::pair<std::string_view, CommandFunction>{"sync-info", run_sync_info},
    std::pair<std::string_view, CommandFunction>{"sync-wals", run_sync_wals},
    std::pair<std::string_view, CommandFunction>{"switch-wal", run_switch_wal},
    std::pair<std::string_view, CommandFunction>{"receive-wal", run_receive_wal},
    std::pair<std::string_view, CommandFunction>{"get-wal", run_get_wal},
    std::pair<std::string_view, CommandFunction>{"cloud-wal-archive", run_cloud_wal_archive},
    std::pair<std::string_view, CommandFunction>{"cloud-wal-restore", run_cloud_wal_restore},
    std::pair<std::string_view, CommandFunction>{"put-wal", run_put_wal},
    std::pair<std::string_view, CommandFunction>{"cron", run_cron},
    std::pair<std::string_view, CommandFunction>{"check-backup", run_check_backup},
    std::pair<std::string_view, CommandFunction>{"archive-wal", run_archive_wal},
    std::pair<std::string_view, CommandFunction>{"consolidate", run_consolidate},
    std::pair<std::string_view, CommandFunction>{"delete", run_delete},
    std::pair<std::string_view, CommandFunction>{"check", run_check},
    std::pair<std::string_view, CommandFunction>{"backup", run_backup},
    std::pair<std::string_view, CommandFunction>{"keep", run_keep},
    std::pair<std::string_view, CommandFunction>{"list-processes", run_list_processes},
    std::pair<std::string_view, CommandFunction>{"terminate-process", run_terminate_process},
    std::pair<std::string_view, CommandFunction>{"lock-directory-cleanup",
                                                 run_lock_directory_cleanup},
    std::pair<std::string_view, CommandFunction>{"check-wal-archive", run_check_wal_archive},
    std::pair<std::string_view, CommandFunction>{"check-archived-wal-range",
                                                 run_check_archived_wal_range},
    std::pair<std::string_view, CommandFunction>{"list-files", run_list_files},
    std::pair<std::string_view, CommandFunction>{"rebuild-catalogue", run_rebuild_catalogue},
    std::pair<std::string_view, CommandFunction>{"rebuild-xlogdb", run_rebuild_xlogdb},
    std::pair<std::string_view, CommandFunction>{"config-switch", run_config_switch},
    std::pair<std::string_view, CommandFunction>{"config-update", run_config_update},
    std::pair<std::string_view, CommandFunction>{"diagnose", run_diagnose},
    std::pair<std::string_view, CommandFunction>{"doctor", run_doctor},
    std::pair<std::string_view, CommandFunction>{"init", run_init},
    std::pair<std::string_view, CommandFunction>{"find-accident", run_find_accident},
    std::pair<std::string_view, CommandFunction>{"follow-upgrade", run_follow_upgrade},
    std::pair<std::string_view, CommandFunction>{"generate-manifest", run_generate_manifest},
    std::pair<std::string_view, CommandFunction>{"list-backups", run_list_backups},
    std::pair<std::string_view, CommandFunction>{"replication-status", run_replication_status},
    std::pair<std::string_view, CommandFunction>{"restore", run_restore},
    std::pair<std::string_view, CommandFunction>{"show-backup", run_show_backup},
    std::pair<std::string_view, CommandFunction>{"status", run_status},
    std::pair<std::string_view, CommandFunction>{"catalogue-check", run_catalogue_check},
    std::pair<std::string_view, CommandFunction>{"list-servers", run_list_servers},
    std::pair<std::string_view, CommandFunction>{"show-servers", run_show_servers},
};

}  // namespace

CommandFunction find_command_function(std::string_view name) {
  for (const auto& [command, function] : kFunctions) {
    if (command == name) return function;
  }
  return nullptr;
}

bool is_available(std::string_view name) {
  return name == "help" || find_command_function(name) != nullptr;
}

}  // namespace barman::cli
