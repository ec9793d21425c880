// The 64-bit number that initdb gives to a cluster; everything that belongs to the cluster carries
// it.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace barman::postgres {

struct SystemId {
  std::uint64_t value = 0;
  friend constexpr auto operator<=>(const SystemId&, const SystemId&) = default;
};

// Decimal, as pg_control_system() and IDENTIFY_SYSTEM show it.
std::string format_system_id(SystemId system_id);
std::optional<SystemId> parse_system_id(std::string_view text);

}  // namespace barman::postgres
