// The document of `diagnose`: everything known about the configuration, the
// host and each server, as one JSON value without secrets. What is broken is left out or told in
// `msg_list`; nothing here fails because of one server.
#pragma once

#include "check/server_facts.h"
#include "cli/command_context.h"
#include "output/json_value.h"
#include "server/server.h"

namespace barman::cli {

// Whether each option comes with the file that defines it: {"source": FILE, "value": VALUE}.
enum class ConfigSources { hidden, shown };

output::JsonValue diagnose_configuration(const config::Configuration& configuration,
                                         ConfigSources sources);
output::JsonValue diagnose_models(const config::Configuration& configuration,
                                  ConfigSources sources);
// Versions of the program, the host and what runs there.
output::JsonValue diagnose_system();
// `facts` are those of gather_server_facts().
output::JsonValue diagnose_server(const server::Server& server,
                                  const config::Configuration& configuration,
                                  const check::ServerFacts& facts, ConfigSources sources);

// A copy with mask_secrets() applied to every text.
output::JsonValue without_secrets(const output::JsonValue& value);

}  // namespace barman::cli
