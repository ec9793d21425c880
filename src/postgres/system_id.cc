#include "postgres/system_id.h"

#include <charconv>

namespace barman::postgres {

std::string format_system_id(SystemId system_id) { return std::to_string(system_id.value); }

std::optional<SystemId> parse_system_id(std::string_view text) {
  SystemId system_id;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, system_id.value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return system_id;
}

}  // namespace barman::postgres
