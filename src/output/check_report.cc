#include "output/check_report.h"

#include <fmt/format.h>

#include "base/text.h"
#include "output/server_views.h"

namespace barman::output {

std::string server_title(std::string_view server, facts::ServerState state) {
  switch (state) {
    case facts::ServerState::inactive:
      return fmt::format("{} (inactive)", server);
    case facts::ServerState::disabled:
      return fmt::format("{} (WARNING: disabled)", server);
    case facts::ServerState::active:
      break;
  }
  return std::string(server);
}

std::string check_key(std::string_view label) {
  std::string key;
  for (const char c : to_lower(label)) {
    if (c != '.') key.push_back(c == ' ' || c == '-' ? '_' : c);
  }
  return key;
}

void CheckReport::begin_server(std::string_view server, facts::ServerState state) {
  state_ = state;
  nagios_ = {.name = std::string(server),

             .failures = {},
             .backup_size_bytes = 0,
             .wal_size_bytes = 0};
  json_ = JsonValue::object();
  write_server_header(reporter_, server, state);
}

void CheckReport::add(const CheckLine& line) {
  const std::string hint = line.hint.empty() ? "" : fmt::format(" ({})", line.hint);
  const std::string status =
      line.ok ? reporter_.colored("OK", Color::green) : reporter_.colored("FAILED", Color::red);
  reporter_.result_line(fmt::format("\t{}: {}{}", line.label, status, hint));
  for (const std::string& detail : line.details) reporter_.info_unlogged("\t\t" + detail);
  JsonValue& entry = json_.member(check_key(line.label));
  entry = JsonValue::object();
  entry.add("status", line.ok ? "OK" : "FAILED");
  entry.add("hint", line.hint);
  if (line.ok) return;
  nagios_.failures.push_back({.label = line.label, .hint = line.hint});
  if (state_ != facts::ServerState::inactive) reporter_.mark_failed();
}

void CheckReport::end_server(const CheckPerformance& performance) {
  nagios_.backup_size_bytes = performance.backup_size_bytes;
  nagios_.wal_size_bytes = performance.wal_size_bytes;
  reporter_.add_json(nagios_.name, std::move(json_));
  reporter_.add_nagios(std::move(nagios_));
}

}  // namespace barman::output
