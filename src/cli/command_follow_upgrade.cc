#include <string>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "upgrade/follow_upgrade.h"

namespace barman::cli {
namespace {

std::string shown(const catalogue::Identity& cluster) {
  return fmt::format("PostgreSQL {} (system identifier {})",
                     cluster.version.empty() ? "of unknown version" : cluster.version,
                     cluster.system_id);
}

void tell_plan(output::Reporter& reporter, const upgrade::UpgradePlan& plan) {
  if (plan.old_cluster) {
    reporter.info(fmt::format("The catalogue of server '{}' is of {}; conninfo leads to {}",
                              plan.server, shown(*plan.old_cluster), shown(plan.new_cluster)));
  }
  if (plan.stage == upgrade::Stage::moved) {
    reporter.info(
        fmt::format("Its old catalogue is that of server '{}' already: an earlier run "
                    "was interrupted, and this one goes on",
                    plan.old_name));
  }
}

void tell_preview(output::Reporter& reporter, const upgrade::UpgradePlan& plan,
                  const std::string& automatic_file) {
  if (plan.stage == upgrade::Stage::begins) {
    reporter.info(fmt::format("Would end receive-wal of server '{}', and archive what has arrived",
                              plan.server));
    reporter.info(fmt::format("Would write section [{}], active = false, into \"{}\"",
                              plan.old_name, automatic_file));
    for (const upgrade::Move& move : plan.moves) {
      reporter.info(
          fmt::format("Would move \"{}\" to \"{}\"", move.from.string(), move.to.string()));
    }
  }
  reporter.info(
      fmt::format("Would begin an empty catalogue of server '{}', with its slot and "
                  "receive-wal. Nothing has been changed.",
                  plan.server));
}

void tell_end(output::Reporter& reporter, const upgrade::UpgradePlan& plan) {
  reporter.info(
      fmt::format("The backups of the old cluster and their WAL are those of server "
                  "'{0}': barman list-backups {0}",
                  plan.old_name));
  reporter.info(
      fmt::format("Clusters that were restored from them and still fetch WAL from '{}': name '{}' "
                  "in their restore_command",
                  plan.server, plan.old_name));
  reporter.info(
      fmt::format("Next, a first backup of the new one: barman switch-wal --force "
                  "--archive {0}; barman backup --wait {0}",
                  plan.server));
}

}  // namespace

void run_follow_upgrade(CommandContext& context) {
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  const server::Server server = make_server(context, *config);
  const upgrade::UpgradeRequest request{.old_name = context.arguments.find("old_name")};
  const upgrade::UpgradePlan plan =
      upgrade::prepare_upgrade(server, context.configuration, request);
  output::Reporter& reporter = context.reporter;
  const bool is_preview = context.arguments.is_set("dry_run");
  if (plan.stage == upgrade::Stage::done) {
    reporter.info(
        fmt::format("The catalogue of server '{}' is that of the cluster that conninfo "
                    "leads to, {}: nothing is to be put aside",
                    plan.server, shown(plan.new_cluster)));
    if (!is_preview) upgrade::follow_upgrade(server, context.configuration, request, reporter);
    return;
  }
  tell_plan(reporter, plan);
  if (is_preview)
    return tell_preview(reporter, plan, context.configuration.global().automatic_file());
  upgrade::follow_upgrade(server, context.configuration, request, reporter);
  tell_end(reporter, plan);
}

}  // namespace barman::cli
