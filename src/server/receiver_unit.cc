#include "server/receiver_unit.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/process.h"
#include "base/text.h"

namespace barman::server {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kUnitPrefix = "barman-receive-wal@";
constexpr std::string_view kUnitSuffix = ".service";

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_unit_name(std::string_view name) {
  return !name.empty() && is_alphanumeric(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

// The file that a command without -c reads.
std::optional<fs::path> default_configuration() {
  std::vector<fs::path> candidates;
  if (const char* home = std::getenv("HOME")) {  // NOLINT(concurrency-mt-unsafe)
    candidates.push_back(fs::path(home) / ".barman.conf");
  }
  candidates.insert(candidates.end(), {"/etc/barman.conf", "/etc/barman/barman.conf"});
  for (const fs::path& path : candidates) {
    if (::access(path.c_str(), R_OK) == 0) return path;
  }
  return std::nullopt;
}

bool is_same_file(const fs::path& a, const fs::path& b) {
  std::error_code code;
  return fs::equivalent(a, b, code) && !code;
}

}  // namespace

std::optional<std::string> find_receiver_unit(const Server& server, const SystemdHost& host) {
  std::error_code code;
  if (!fs::is_directory(host.runtime_directory, code) || !is_unit_name(server.name())) {
    return std::nullopt;
  }
  const std::optional<fs::path> configuration = default_configuration();
  if (!configuration || !is_same_file(*configuration, server.program().configuration_path)) {
    return std::nullopt;
  }
  return fmt::format("{}{}{}", kUnitPrefix, server.name(), kUnitSuffix);
}

std::optional<std::string> find_unit_of_process(pid_t pid, const SystemdHost& host) {
  constexpr std::size_t kMostBytes = 65536;
  std::string text;
  try {
    text = find_and_read_file(host.processes / std::to_string(pid) / "cgroup", kMostBytes)
               .value_or("");
  } catch (const Error&) {
    // Processes of others, or one that has just ended: then it is no unit for us.
    return std::nullopt;
  }
  for (const std::string& line : split(text, '\n')) {
    const std::string name = line.substr(line.rfind('/') + 1);
    if (name.starts_with(kUnitPrefix) && name.ends_with(kUnitSuffix)) return name;
  }
  return std::nullopt;
}

bool control_unit(const std::string& unit, UnitAction action, const SystemdHost& host) {
  const std::string word = action == UnitAction::start ? "start" : "stop";
  std::string failure;
  try {
    const ProcessResult result =
        run_process({.argv = {host.systemctl, "--no-ask-password", word, unit},
                     .environment = {},
                     .standard_input = {}});
    if (result.exit_code == 0) return true;
    failure = fmt::format("(exit {}): {}", result.exit_code,
                          strip(result.standard_output + result.standard_error));
  } catch (const Error& error) {
    // No systemctl: the caller does without the unit.
    failure = error.describe();
  }
  log::warning(log::kServerComponent, "'systemctl {} {}' failed {}", word, unit, failure);
  return false;
}

}  // namespace barman::server
