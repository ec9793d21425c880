// The functions behind the commands, one file each (command_<name>.cc). A command reports through
// its context; what it throws is mapped to messages and exit codes by application.cc.
#pragma once

#include "cli/command_context.h"

namespace barman::cli {

void run_archive_wal(CommandContext& context);
void run_cloud_wal_archive(CommandContext& context);
void run_cloud_wal_restore(CommandContext& context);
void run_check_backup(CommandContext& context);
void run_cron(CommandContext& context);
void run_get_wal(CommandContext& context);
void run_put_wal(CommandContext& context);
void run_receive_wal(CommandContext& context);
void run_switch_wal(CommandContext& context);
void run_backup(CommandContext& context);
void run_catalogue_check(CommandContext& context);
void run_check(CommandContext& context);
void run_consolidate(CommandContext& context);
void run_delete(CommandContext& context);
void run_keep(CommandContext& context);
void run_list_processes(CommandContext& context);
void run_terminate_process(CommandContext& context);
void run_lock_directory_cleanup(CommandContext& context);
void run_check_wal_archive(CommandContext& context);
void run_check_archived_wal_range(CommandContext& context);
void run_list_files(CommandContext& context);
void run_rebuild_catalogue(CommandContext& context);
void run_rebuild_xlogdb(CommandContext& context);
void run_config_switch(CommandContext& context);
void run_config_update(CommandContext& context);
void run_diagnose(CommandContext& context);
void run_doctor(CommandContext& context);
void run_init(CommandContext& context);
void run_generate_manifest(CommandContext& context);
void run_list_backups(CommandContext& context);
void run_list_servers(CommandContext& context);
void run_replication_status(CommandContext& context);
void run_restore(CommandContext& context);
void run_show_backup(CommandContext& context);
void run_show_servers(CommandContext& context);
void run_status(CommandContext& context);
void run_export_backup(CommandContext& context);
void run_import_backup(CommandContext& context);
void run_sync_backup(CommandContext& context);
void run_sync_info(CommandContext& context);
void run_sync_wals(CommandContext& context);
void run_verify_backup(CommandContext& context);
void run_follow_upgrade(CommandContext& context);
void run_find_accident(CommandContext& context);
void run_verify_wal(CommandContext& context);

using CommandFunction = void (*)(CommandContext&);
// nullptr for a command that has no function (`help` is done by the application itself).
CommandFunction find_command_function(std::string_view name);
// Whether this version has the command: those of the table without a function come later.
bool is_available(std::string_view name);

}  // namespace barman::cli
