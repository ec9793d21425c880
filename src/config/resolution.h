// From merged files to one server or model: inheritance, built-in defaults, derived paths.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/ini_document.h"
#include "config/model.h"
#include "config/server_config.h"

namespace barman::config {

// `warnings` receives what the user is told about ignored values. A value that cannot be read
// safely (bad reference, unknown kind of URL) disables the server.
ServerConfig resolve_server(const IniDocument& document, const std::string& name,
                            std::string_view barman_home, std::vector<std::string>& warnings);

// nullopt when the section cannot be used as a model; the reason is among the warnings.
std::optional<Model> resolve_model(const IniDocument& document, const std::string& name,
                                   std::vector<std::string>& warnings);

// Appends the reason and disables the server.
void disable_server(ServerConfig& config, std::string reason);

}  // namespace barman::config
