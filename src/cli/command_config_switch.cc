#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/hint.h"
#include "cli/commands.h"
#include "cli/configuration_changes.h"
#include "cli/server_selection.h"
#include "config/model.h"

namespace barman::cli {
namespace {

// False when nothing can be switched (reported).
bool apply_model(CommandContext& context, const config::ServerConfig& config,
                 const std::string& name) {
  const config::Model* model = context.configuration.find_model(name);
  if (model == nullptr) {
    std::string text = fmt::format("Unknown model '{}'", name);
    if (context.reporter.has_reader()) {
      std::vector<std::string> names;
      for (const auto& [known, each] : context.configuration.models()) names.push_back(known);
      text = with_hint(std::move(text), unknown_name_hint("model", name, names));
    }
    context.reporter.error(text);
    return false;
  }
  if (const auto mismatch = config::find_cluster_mismatch(config, *model)) {
    context.reporter.error(with_hint(
        *mismatch, fmt::format("Set the same 'cluster' in sections [{}] and [{}], if the model is "
                               "meant for that server.",
                               config.name, name)));
    return false;
  }
  if (config.active_model == name) {
    context.reporter.info(fmt::format("Model '{}' is already active for server '{}', skipping...",
                                      name, config.name));
    return true;
  }
  context.reporter.info(fmt::format("Applying model '{}' to server '{}'", name, config.name));
  for (const config::ModelChange& change : config::list_model_changes(config, *model)) {
    context.reporter.info(
        fmt::format("Changing value of option '{}' for server '{}' from '{}' to '{}' through the "
                    "model '{}'",
                    change.option, config.name, change.old_text, change.new_text, name));
  }
  make_directories(config.backup_directory);
  write_file_durably(config::active_model_file(config), name);
  return true;
}

void reset(CommandContext& context, const config::ServerConfig& config) {
  context.reporter.info("Resetting the active model for the server " + config.name);
  std::error_code code;
  if (std::filesystem::exists(config.backup_directory, code)) {
    remove_durably(config::active_model_file(config));
  }
}

}  // namespace

void run_config_switch(CommandContext& context) {
  const std::optional<std::string> model = context.arguments.find("model_name");
  const bool is_reset = context.arguments.is_set("reset");
  if (!is_reset && !model) {
    throw Error(
        ErrorKind::usage, "Either a model name or '--reset' flag need to be given",
        "Models are the sections with 'model = true'; 'barman list-servers' names servers.");
  }
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  if (is_reset) {
    reset(context, *config);
  } else if (!apply_model(context, *config, *model)) {
    return;
  }
  const config::Configuration configuration = reload_configuration(context);
  CommandContext fresh = {.configuration = configuration,
                          .reporter = context.reporter,
                          .progress = context.progress,
                          .interrupt = context.interrupt,
                          .arguments = context.arguments};
  restart_receiver(fresh, config->name);
}

}  // namespace barman::cli
