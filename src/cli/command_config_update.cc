#include <optional>

#include "base/file_lock.h"
#include "catalogue/locks.h"
#include "cli/commands.h"
#include "cli/configuration_changes.h"
#include "config/config_update.h"

namespace barman::cli {
namespace {

// Queued first, so that a crash loses nothing that was accepted.
std::set<std::string> queue_and_apply(CommandContext& context,
                                      const std::vector<config::ChangeSet>& sets) {
  const config::GlobalConfig& global = context.configuration.global();
  const auto path = catalogue::config_lock(global.barman_lock_directory);
  const std::optional<FileLock> lock = FileLock::try_lock(path);
  if (!lock) {
    throw Error(ErrorKind::internal,
                "another process is updating the configuration and holds " + path.string());
  }
  if (!sets.empty()) {
    std::vector<config::ChangeSet> queue =
        config::load_change_queue(global.config_changes_queue).sets;
    queue.insert(queue.end(), sets.begin(), sets.end());
    config::save_change_queue(global.config_changes_queue, queue, global.automatic_file());
  }
  return apply_queued_changes(context);
}

}  // namespace

void run_config_update(CommandContext& context) {
  const config::UpdateRequest request =
      config::parse_update_request(context.arguments.get("json_changes"), context.configuration);
  for (const std::string& text : request.errors) context.reporter.error(text);
  if (!request.errors.empty()) return;
  const std::set<std::string> changed = queue_and_apply(context, request.sets);
  if (changed.empty()) return;
  const config::Configuration configuration = reload_configuration(context);
  CommandContext fresh = {.configuration = configuration,
                          .reporter = context.reporter,
                          .progress = context.progress,
                          .interrupt = context.interrupt,
                          .arguments = context.arguments};
  restart_receivers(fresh, changed);
}

}  // namespace barman::cli
