// Results about servers: list-servers, status, show-servers and other "key: value" results.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "output/check_report.h"
#include "output/reporter.h"

namespace barman::output {

// "Server main:".
void write_server_header(Reporter& reporter, std::string_view server,
                         ServerState state = ServerState::active);

struct ServerListEntry {
  std::string name;
  std::string description;
  ServerState state = ServerState::active;
  bool is_passive = false;
};
enum class ListStyle { full, minimal };
void write_server_list(Reporter& reporter, const std::vector<ServerListEntry>& servers,
                       ListStyle style);

// status, keep --status: "<TAB>label: message", JSON {key: {"description": label, "message": …}}.
struct StatusRow {
  std::string key;
  std::string label;
  std::string message;
};
void write_status(Reporter& reporter, std::string_view server, const std::vector<StatusRow>& rows);

// show-servers: "<TAB>key: text" in key order, JSON {key: value}.
struct PropertyRow {
  std::string key;
  std::string text;
  JsonValue value;
};
struct ServerProperties {
  std::string server;
  ServerState state = ServerState::active;
  std::vector<PropertyRow> rows;
};
void write_properties(Reporter& reporter, ServerProperties properties);

// A value of configuration or of PostgreSQL in Python's text form: True, None, ['a', 'b'].
std::string python_text(const JsonValue& value);

}  // namespace barman::output
