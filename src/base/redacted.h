// What stands where a secret was.
#pragma once

#include <string_view>

namespace barman {

inline constexpr std::string_view kRedacted = "*REDACTED*";

}  // namespace barman
