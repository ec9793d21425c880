// The results of `check` in the three output forms, line by line as they come.
//
//   CheckReport report(reporter);
//   report.begin_server("main", facts::ServerState::active);
//   report.add({.label = "wal_level", .ok = true});
//   report.end_server({.backup_size_bytes = 1000, .wal_size_bytes = 0});
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "facts/server_state.h"
#include "output/reporter.h"

namespace barman::output {

// "main", "main (inactive)", "main (WARNING: disabled)".
std::string server_title(std::string_view server, facts::ServerState state);

struct CheckLine {
  std::string label;
  bool ok = false;
  std::string hint;
  std::vector<std::string> details;  // shown below the line with two tabs ("configuration")
};

struct CheckPerformance {
  std::uint64_t backup_size_bytes = 0;  // of the last backup
  std::uint64_t wal_size_bytes = 0;     // after it
};

class CheckReport {
 public:
  explicit CheckReport(Reporter& reporter) : reporter_(reporter) {}

  void begin_server(std::string_view server, facts::ServerState state);
  // A failure makes the exit code 1, except on an inactive server.
  void add(const CheckLine& line);
  void end_server(const CheckPerformance& performance);

 private:
  Reporter& reporter_;
  facts::ServerState state_ = facts::ServerState::active;
  NagiosServer nagios_;
  JsonValue json_;
};

// The JSON key of a check: "receive-wal running" -> "receive_wal_running".
std::string check_key(std::string_view label);

}  // namespace barman::output
