#include "cloud_cli/hook_call.h"

#include <cstdlib>

#include <fmt/format.h>

#include "base/error.h"

namespace barman::cloud_cli {

std::optional<std::string> find_hook_variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets it
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

std::optional<HookCall> find_hook_call() {
  auto hook = find_hook_variable("BARMAN_HOOK");
  auto phase = find_hook_variable("BARMAN_PHASE");
  if (!hook || !phase) return std::nullopt;
  return HookCall{.phase = *std::move(phase), .hook = *std::move(hook)};
}

bool is_call_of(const HookCall& call, std::string_view phase, std::string_view base) {
  return call.phase == phase && (call.hook == fmt::format("{}_script", base) ||
                                 call.hook == fmt::format("{}_retry_script", base));
}

std::string require_hook_variable(const char* name) {
  auto value = find_hook_variable(name);
  if (value) return *std::move(value);
  throw Error(ErrorKind::config, fmt::format("{} environment variable not set", name),
              "Barman sets it for its hook scripts.");
}

}  // namespace barman::cloud_cli
