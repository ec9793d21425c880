#include "output/server_views.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace barman::output {
namespace {

// A word in Python's source form. Single quotes unless the text has some and no double ones.
std::string python_quoted(std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const bool has_double = text.find('"') != std::string_view::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  std::string result(1, quote);
  for (const char c : text) {
    if (c == '\\' || c == quote) result.push_back('\\');
    if (c == '\n' || c == '\t' || c == '\r') {
      result += c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r";
    } else {
      result.push_back(c);
    }
  }
  result.push_back(quote);
  return result;
}

std::string python_element(const JsonValue& value) {
  const auto* text = std::get_if<std::string>(&value.value());
  return text != nullptr ? python_quoted(*text) : python_text(value);
}

std::string python_content(std::monostate) { return "None"; }
std::string python_content(bool value) { return value ? "True" : "False"; }
std::string python_content(std::int64_t value) { return fmt::format("{}", value); }
std::string python_content(double value) { return shortest_float(value); }
std::string python_content(const std::string& value) { return value; }
std::string python_content(const JsonValue::Array& values) {
  std::vector<std::string> parts;
  for (const JsonValue& value : values) parts.push_back(python_element(value));
  return fmt::format("[{}]", join(parts, ", "));
}
std::string python_content(const JsonValue::Object& members) {
  std::vector<std::string> parts;
  for (const JsonValue::Member& member : members) {
    parts.push_back(fmt::format("{}: {}", python_quoted(member.key), python_element(member.value)));
  }
  return fmt::format("{{{}}}", join(parts, ", "));
}

// What list-servers appends to the description.
std::string state_suffix(const ServerListEntry& server) {
  std::string suffix;
  if (server.state == ServerState::inactive) suffix = " (inactive)";
  if (server.state == ServerState::disabled) suffix = " (WARNING: disabled)";
  if (server.is_passive) suffix += " (Passive)";
  return suffix;
}

}  // namespace

std::string python_text(const JsonValue& value) {
  return std::visit([](const auto& content) { return python_content(content); }, value.value());
}

void write_server_header(Reporter& reporter, std::string_view server, ServerState state) {
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

void write_status(Reporter& reporter, std::string_view server, const std::vector<StatusRow>& rows) {
  write_server_header(reporter, server);
  JsonValue document = JsonValue::object();
  for (const StatusRow& row : rows) {
    reporter.result_line(fmt::format("\t{}: {}", row.label, row.message));
    JsonValue entry = JsonValue::object();
    entry.add("description", row.label);
    entry.add("message", row.message);
    document.add(row.key, std::move(entry));
  }
  reporter.add_json(server, std::move(document));
}

void write_properties(Reporter& reporter, ServerProperties properties) {
  write_server_header(reporter, properties.server, properties.state);
  std::stable_sort(properties.rows.begin(), properties.rows.end(),
                   [](const PropertyRow& a, const PropertyRow& b) { return a.key < b.key; });
  JsonValue document = JsonValue::object();
  for (PropertyRow& row : properties.rows) {
    reporter.result_line(fmt::format("\t{}: {}", row.key, row.text));
    document.add(std::move(row.key), std::move(row.value));
  }
  reporter.add_json(properties.server, std::move(document));
}

}  // namespace barman::output
