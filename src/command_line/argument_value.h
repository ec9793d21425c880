// What values the options accept, and the messages for the others.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "command_line/program_spec.h"

namespace barman::command_line {

// Why `value` is refused: "'0' is not a valid positive integer"; nullopt when it is fine.
std::optional<std::string> value_problem(ValueKind kind, std::span<const std::string_view> choices,
                                         std::string_view value);

// A number with one of k Ki M Mi G Gi T Ti, case-sensitive: "10Gi". nullopt when it is none.
std::optional<std::uint64_t> parse_staging_size(std::string_view text);

// "100GB", "1.5MB", "1234", "1234B", in any case. With these units KB is 1024 bytes and KiB 1000,
// as scripts for Barman's cloud programs expect it. nullopt when it is none, or less than one byte.
std::optional<std::uint64_t> parse_transfer_size(std::string_view text);

// The two sides of "KEY,VALUE", without blanks around them. nullopt for what no store would take.
std::optional<std::pair<std::string, std::string>> parse_object_tag(std::string_view text);

}  // namespace barman::command_line
