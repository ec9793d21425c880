// Results about servers: list-servers, status, show-servers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/rendering.h"
#include "facts/server_state.h"
#include "facts/status_rows.h"
#include "output/reporter.h"

namespace barman::output {

JsonValue to_json(const config::OptionValue& value);

// "Server main:".
void write_server_header(Reporter& reporter, std::string_view server,
                         facts::ServerState state = facts::ServerState::active);

struct ServerListEntry {
  std::string name;
  std::string description;
  facts::ServerState state = facts::ServerState::active;
  bool is_passive = false;
};
enum class ListStyle { full, minimal };
void write_server_list(Reporter& reporter, const std::vector<ServerListEntry>& servers,
                       ListStyle style);

// status, keep --status: "<TAB>label: message", JSON {key: {"description": label, "message": …}}.
void write_status(Reporter& reporter, std::string_view server,
                  const std::vector<facts::StatusRow>& rows);

// show-servers: "<TAB>key: text" in key order, JSON {key: value}. The JSON description names the
// state when there is no configured one.
void write_properties(Reporter& reporter, std::string_view server, facts::ServerState state,
                      config::ShownOptions values);

}  // namespace barman::output
