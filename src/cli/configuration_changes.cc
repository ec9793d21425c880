#include "cli/configuration_changes.h"

#include <optional>

#include <fmt/format.h>

#include "cli/exit_code.h"
#include "cli/server_factory.h"
#include "config/config_update.h"
#include "postgres/conninfo.h"
#include "wal_transfer/processes.h"

namespace barman::cli {
namespace {

std::optional<std::string> find_problem(const config::Configuration& configuration,
                                        const config::ChangeSet& set) {
  for (const config::OptionChange& change : set.changes) {
    if (auto problem = config::find_change_problem(configuration, set.section, change)) {
      return problem;
    }
  }
  return std::nullopt;
}

// False when the set has to stay in the queue.
bool apply(CommandContext& context, const config::ChangeSet& set) {
  if (const std::optional<std::string> problem = find_problem(context.configuration, set)) {
    context.reporter.error(
        fmt::format("Dropping a queued change of section '{}': {}", set.section, *problem));
    return true;
  }
  try {
    for (const std::string& line : config::apply_change_set(context.configuration, set)) {
      context.reporter.info(line);
    }
    return true;
  } catch (const Error& error) {  // The next cron tries again; other sections come first.
    if (error.kind() == ErrorKind::interrupted) throw;
    report_error(context.reporter, error);
    return false;
  }
}

}  // namespace

config::Configuration reload_configuration(const CommandContext& context) {
  config::Configuration configuration;
  config::MainFileLookup lookup;
  lookup.option = context.configuration.global().config_file;
  configuration.load_main_file(lookup);
  configuration.load_rest(postgres::conninfo_error);
  return configuration;
}

std::set<std::string> apply_queued_changes(CommandContext& context) {
  const config::GlobalConfig& global = context.configuration.global();
  const config::ChangeQueue queue = config::load_change_queue(global.config_changes_queue);
  if (queue.is_malformed) {
    context.reporter.warning("Malformed or empty configuration change queue: " +
                             global.config_changes_queue);
  }
  std::set<std::string> changed;
  std::vector<config::ChangeSet> waiting = queue.sets;
  for (auto set = waiting.begin(); set != waiting.end();) {
    if (!apply(context, *set)) {
      ++set;
      continue;
    }
    changed.insert(set->section);
    set = waiting.erase(set);
    // A crash before this line applies the same set once more, which changes nothing.
    config::save_change_queue(global.config_changes_queue, waiting, global.automatic_file());
  }
  return changed;
}

void restart_receiver(CommandContext& context, const std::string& server_name) {
  const config::ServerConfig* config = context.configuration.find_server(server_name);
  if (config == nullptr || config->is_passive()) return;
  if (config->disabled) {
    for (const std::string& text : config->messages) context.reporter.warning(text);
    return;
  }
  wal_transfer::restart_receiver(make_server(context, *config), context.reporter);
}

void restart_receivers(CommandContext& context, const std::set<std::string>& sections) {
  for (const std::string& name : context.configuration.server_names()) {
    const std::optional<std::string>& model = context.configuration.find_server(name)->active_model;
    if (!sections.contains(name) && !(model && sections.contains(*model))) continue;
    try {
      restart_receiver(context, name);
    } catch (const Error& error) {  // One server's trouble must not stop the others.
      if (error.kind() == ErrorKind::interrupted) throw;
      report_error(context.reporter, error);
    }
  }
}

}  // namespace barman::cli
