// What stands where a secret was (contract cli.md 10).
#pragma once

#include <string_view>

namespace barman {

inline constexpr std::string_view kRedacted = "*REDACTED*";

}  // namespace barman
