#include "archive/processes.h"
#include "backup/delete_backup.h"
#include "base/file_lock.h"
#include "base/log.h"
#include "catalogue/locks.h"
#include "cli/commands.h"
#include "cli/dry_run.h"
#include "cli/exit_code.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"

namespace barman::cli {
namespace {

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
  if (!config.active) return archive::stop_receiver_of_inactive_server(server, context.reporter);
  if (config.is_passive()) {
    log::warning("barman.server",
                 "this version does not synchronise passive server '{}' with its primary node",
                 config.name);
  } else {
    if (const std::string text = server.wal_connections_text(); !text.empty())
      context.reporter.info(text);
    archive::run_wal_cron(server, outputs, context.reporter);
  }
  backup::enforce_retention(server, context.reporter);
}

}  // namespace

void run_cron(CommandContext& context) {
  const DaemonOutputs outputs =
      context.arguments.is_set("keep_descriptors") ? DaemonOutputs::keep : DaemonOutputs::discard;
  announce_all_servers(context);
  for (const std::string& name : context.configuration.server_names()) {
    const config::ServerConfig& config = *context.configuration.find_server(name);
    if (config.active && config.disabled) {
      context.reporter.info("Skipping temporarily disabled server '" + name + "'");
      continue;
    }
    try {
      run_for_server(context, config, outputs);
    } catch (const Error& error) {  // One server's trouble must not stop the others.
      if (error.kind() == ErrorKind::interrupted) throw;
      log::error("barman.cli", "cron on server '{}': {}", name, error.describe());
      context.reporter.exception("Unable to run cron on server '" + name +
                                 "', please look in the barman log file for more details.");
    }
  }
  if (context.arguments.is_set("dry_run")) return;
  const config::GlobalConfig& global = context.configuration.global();
  if (global.lock_directory_cleanup) catalogue::clean_lock_directory(global.barman_lock_directory);
}

}  // namespace barman::cli
