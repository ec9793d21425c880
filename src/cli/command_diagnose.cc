#include "check/server_facts.h"
#include "cli/commands.h"
#include "cli/diagnosis.h"
#include "cli/server_factory.h"

namespace barman::cli {

void run_diagnose(CommandContext& context) {
  const ConfigSources sources =
      context.arguments.is_set("show_config_source") ? ConfigSources::shown : ConfigSources::hidden;
  const config::Configuration& configuration = context.configuration;
  output::JsonValue global = output::JsonValue::object();
  global.add("config", diagnose_configuration(configuration, sources));
  global.add("system_info", diagnose_system());
  output::JsonValue servers = output::JsonValue::object();
  for (const std::string& name : configuration.server_names()) {
    const server::Server server = make_server(context, *configuration.find_server(name));
    servers.add(
        name, diagnose_server(server, configuration, check::gather_server_facts(server), sources));
  }
  output::JsonValue document = output::JsonValue::object();
  document.add("global", std::move(global));
  document.add("models", diagnose_models(configuration, sources));
  document.add("servers", std::move(servers));
  constexpr int kIndent = 4;
  context.reporter.info_unlogged(output::dump(without_secrets(document), {.indent = kIndent}));
}

}  // namespace barman::cli
