// The document of `diagnose`, as JSON values.
#pragma once

#include <string>

#include "base/timestamp.h"
#include "facts/diagnosis.h"
#include "output/json_value.h"

namespace barman::output {

// Whether each option comes with the file that defines it: {"source": FILE, "value": VALUE}.
enum class ConfigSources { hidden, shown };

JsonValue global_json(const facts::GlobalDiagnosis& diagnosis, ConfigSources sources);
JsonValue model_json(const std::vector<facts::DiagnosedOption>& options, ConfigSources sources);
// With the version of this program.
JsonValue system_json(const facts::SystemFacts& facts, const Timestamp& now);
JsonValue server_json(const facts::ServerDiagnosis& diagnosis, ConfigSources sources);

// A copy with mask_secrets() applied to every text.
JsonValue without_secrets(const JsonValue& value);

}  // namespace barman::output
