// Whether Barman runs the program as one of its hook scripts, and as which: it says so in the
// environment.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace barman::cloud_cli {

struct HookCall {
  std::string phase;  // "pre", "post"
  std::string hook;   // "archive_retry_script"
};
// nullopt: the program was not called by a hook.
std::optional<HookCall> find_hook_call();
// Whether it is `<base>_script` or its retrying form in that phase.
bool is_call_of(const HookCall& call, std::string_view phase, std::string_view base);
std::optional<std::string> find_hook_variable(const char* name);
// Throws `config`: "NAME environment variable not set".
std::string require_hook_variable(const char* name);

}  // namespace barman::cloud_cli
