#include "cli/commands.h"
#include "cli/server_factory.h"
#include "facts/diagnosis.h"
#include "output/diagnosis_views.h"

namespace barman::cli {

void run_diagnose(CommandContext& context) {
  const auto sources = context.arguments.is_set("show_config_source")
                           ? output::ConfigSources::shown
                           : output::ConfigSources::hidden;
  const config::Configuration& configuration = context.configuration;
  output::JsonValue global = output::JsonValue::object();
  global.add("config", output::global_json(facts::diagnose_configuration(configuration), sources));
  global.add("system_info", output::system_json(facts::gather_system_facts(), now_local()));
  output::JsonValue models = output::JsonValue::object();
  for (const auto& [name, options] : facts::diagnose_models(configuration)) {
    models.add(name, output::model_json(options, sources));
  }
  output::JsonValue servers = output::JsonValue::object();
  for (const std::string& name : configuration.server_names()) {
    const server::Server server = make_server(context, *configuration.find_server(name));
    const facts::ServerDiagnosis diagnosis =
        facts::diagnose_server(server, configuration, facts::gather_server_facts(server));
    servers.add(name, output::server_json(diagnosis, sources));
  }
  output::JsonValue document = output::JsonValue::object();
  document.add("global", std::move(global));
  document.add("models", std::move(models));
  document.add("servers", std::move(servers));
  constexpr int kIndent = 4;
  context.reporter.info_unlogged(
      output::dump(output::without_secrets(document), {.indent = kIndent}));
}

}  // namespace barman::cli
