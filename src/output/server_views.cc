#include "output/server_views.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "output/check_report.h"

namespace barman::output {
namespace {

JsonValue json_content(const config::OptionValue::List& values) {
  JsonValue array = JsonValue::array();
  for (const config::OptionValue& value : values) array.push_back(to_json(value));
  return array;
}
JsonValue json_content(const config::OptionValue::Object& members) {
  JsonValue object = JsonValue::object();
  for (const auto& [key, value] : members) object.add(key, to_json(value));
  return object;
}
template <typename T>
JsonValue json_content(const T& value) {
  return JsonValue(value);
}

// What list-servers appends to the description.
std::string state_suffix(const ServerListEntry& server) {
  std::string suffix;
  if (server.state == facts::ServerState::inactive) suffix = " (inactive)";
  if (server.state == facts::ServerState::disabled) suffix = " (WARNING: disabled)";
  if (server.is_passive) suffix += " (Passive)";
  return suffix;
}

}  // namespace

JsonValue to_json(const config::OptionValue& value) {
  return std::visit([](const auto& content) { return json_content(content); }, value.data);
}

void write_server_header(Reporter& reporter, std::string_view server, facts::ServerState state) {
  reporter.result_line(fmt::format("Server {}:", server_title(server, state)));
}

void write_server_list(Reporter& reporter, const std::vector<ServerListEntry>& servers,
                       ListStyle style) {
  for (const ServerListEntry& server : servers) {
    const std::string description = server.description + state_suffix(server);
    JsonValue entry = JsonValue::object();
    entry.add("description", description);
    reporter.add_json(server.name, std::move(entry));
    if (style == ListStyle::minimal || description.empty()) {
      reporter.result_line(server.name);
    } else {
      reporter.result_line(fmt::format("{} - {}", server.name, description));
    }
  }
}

void write_status(Reporter& reporter, std::string_view server,
                  const std::vector<facts::StatusRow>& rows) {
  write_server_header(reporter, server);
  JsonValue document = JsonValue::object();
  for (const facts::StatusRow& row : rows) {
    reporter.result_line(fmt::format("\t{}: {}", row.label, row.message));
    JsonValue entry = JsonValue::object();
    entry.add("description", row.label);
    entry.add("message", row.message);
    document.add(row.key, std::move(entry));
  }
  reporter.add_json(server, std::move(document));
}

void write_properties(Reporter& reporter, std::string_view server, facts::ServerState state,
                      config::ShownOptions values) {
  write_server_header(reporter, server, state);
  std::stable_sort(values.begin(), values.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  JsonValue document = JsonValue::object();
  for (const auto& [key, value] : values) {
    reporter.result_line(fmt::format("\t{}: {}", key, config::python_text(value)));
    JsonValue shown = to_json(value);
    if (key == "description" && shown.is_null() && state != facts::ServerState::active) {
      shown = state == facts::ServerState::inactive ? "(inactive)" : "(WARNING: disabled)";
    }
    document.add(key, std::move(shown));
  }
  reporter.add_json(server, std::move(document));
}

}  // namespace barman::output
