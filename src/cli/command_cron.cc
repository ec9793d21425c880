#include <set>

#include <fmt/format.h>

#include "backup/abandoned_backups.h"
#include "backup/delete_backup.h"
#include "backup/unlocked_wal.h"
#include "base/fd.h"
#include "base/file_lock.h"
#include "base/hint.h"
#include "base/log.h"
#include "base/unexpected.h"
#include "catalogue/locks.h"
#include "cli/commands.h"
#include "cli/configuration_changes.h"
#include "cli/dry_run.h"
#include "cli/exit_code.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "config/config_update.h"
#include "doctor/failed_backups.h"
#include "facts/receiver.h"
#include "sync/passive_cron.h"
#include "wal_transfer/processes.h"

namespace barman::cli {
namespace {

// One server's trouble must not stop the others, and trouble with WAL must not keep retention from
// freeing space.
void report_trouble(CommandContext& context, const std::string& name, const Error& error) {
  // A lock that must not be opened: the message has its path.
  if (error.kind() == ErrorKind::permission) return report_error(context.reporter, error);
  context.reporter.error(with_hint(
      fmt::format("Unable to run cron on server '{}': {}", name, error.describe()), error.hint()));
}

void run_wal_steps(CommandContext& context, const server::Server& server,
                   catalogue::BackupListReader& backups, DaemonOutputs outputs) {
  if (server.config().is_passive()) {
    sync::run_passive_cron(server, backups, outputs, context.reporter);
    return;
  }
  if (const std::string text = server.wal_connections_text(); !text.empty())
    context.reporter.info(text);
  const facts::ReceiverProcess receiver = facts::find_receiver(server);
  facts::warn_of_ended_receiver(server, receiver, context.reporter);
  wal_transfer::run_wal_cron(server, backups, outputs, context.reporter);
  facts::warn_of_idle_receiver(server, receiver, context.reporter);
}

void run_for_server(CommandContext& context, const config::ServerConfig& config,
                    DaemonOutputs outputs) {
  const server::Server server = make_server(context, config);
  if (context.arguments.is_set("dry_run")) {
    if (config.active) preview_cron(context, server);
    return;
  }
  const std::optional<FileLock> lock = FileLock::try_lock(catalogue::cron_lock(server.locks()));
  if (!lock) {
    context.reporter.info("Another cron process is already running on server " + config.name +
                          ". Skipping to the next server");
    return;
  }
  if (!config.active)
    return wal_transfer::stop_receiver_of_inactive_server(server, context.reporter);
  catalogue::BackupListReader backups(server.catalogue());
  std::string trouble;
  try {
    // Of a new server; what lacks in an old one is made when it is needed.
    if (!find_status(config.backup_directory)) server.create_directories();
    server.note_presence();
    run_wal_steps(context, server, backups, outputs);
  } catch (const std::exception& any) {  // Retention may free what was missing here.
    const Error error = as_error(any);
    if (error.kind() == ErrorKind::interrupted) throw;
    report_trouble(context, config.name, error);
    trouble = error.describe();
  }
  try {
    backup::enforce_retention(server, backups, context.reporter);
    backup::remove_unlocked_wal(server, backups, context.reporter);
  } catch (const Error& error) {  // The same directory that cannot be read is told once.
    if (error.kind() == ErrorKind::interrupted || error.describe() != trouble) throw;
    return;
  }
  if (context.arguments.is_set("remove_failed"))
    doctor::remove_superseded_failures(server, context.reporter);
  // It writes a note, which a full disk refuses: behind all that frees space.
  if (!config.is_passive()) backup::abort_old_wal_uploads_daily(server);
}

// The changes that config-update could not write; the names of the sections they are in.
std::set<std::string> apply_configuration_changes(CommandContext& context) {
  const config::GlobalConfig& global = context.configuration.global();
  const config::ChangeQueue queue = config::load_change_queue(global.config_changes_queue);
  if (queue.sets.empty() && !queue.is_malformed) return {};
  const std::optional<FileLock> lock =
      FileLock::try_lock(catalogue::config_lock(global.barman_lock_directory));
  if (!lock) {
    context.reporter.warning("another process is updating barman configuration files");
    return {};
  }
  return apply_queued_changes(context);
}

void run_for_all_servers(CommandContext& context) {
  const DaemonOutputs outputs =
      context.arguments.is_set("keep_descriptors") ? DaemonOutputs::keep : DaemonOutputs::discard;
  announce_all_servers(context);
  for (const std::string& name : context.configuration.server_names()) {
    const config::ServerConfig& config = *context.configuration.find_server(name);
    if (config.active && config.disabled) {
      context.reporter.info("Skipping temporarily disabled server '" + name + "'");
      for (const std::string& reason : config.messages) {
        context.reporter.warning(
            fmt::format("nothing is done for server '{}', neither WAL nor retention: {}", name,
                        is_conflict(context, reason)
                            ? "it shares a directory with another one, see \"Conflicting path\""
                            : reason));
      }
      continue;
    }
    const log::ServerScope scope(name);
    try {
      run_for_server(context, config, outputs);
    } catch (const std::exception& any) {
      const Error error = as_error(any);
      if (error.kind() == ErrorKind::interrupted) throw;
      report_trouble(context, name, error);
    }
  }
}

}  // namespace

void run_cron(CommandContext& context) {
  if (context.arguments.is_set("dry_run")) return run_for_all_servers(context);
  std::set<std::string> changed_sections;
  std::optional<config::Configuration> changed;
  try {
    changed_sections = apply_configuration_changes(context);
    if (!changed_sections.empty()) changed = reload_configuration(context);
  } catch (const Error& error) {  // The servers can be served as they are configured now.
    if (error.kind() == ErrorKind::interrupted) throw;
    report_error(context.reporter, error);
  }
  CommandContext current = {.configuration = changed ? *changed : context.configuration,
                            .reporter = context.reporter,
                            .progress = context.progress,
                            .interrupt = context.interrupt,
                            .arguments = context.arguments};
  try {
    restart_receivers(current, changed_sections);
  } catch (const Error& error) {  // They are not all that cron is for.
    if (error.kind() == ErrorKind::interrupted) throw;
    report_error(context.reporter, error);
  }
  run_for_all_servers(current);
  const config::GlobalConfig& global = current.configuration.global();
  if (global.lock_directory_cleanup) catalogue::clean_lock_directory(global.barman_lock_directory);
}

}  // namespace barman::cli
