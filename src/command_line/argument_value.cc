#include "command_line/argument_value.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace barman::command_line {
namespace {

constexpr std::array<std::string_view, 8> kReservedBackupNames = {
    "latest", "last", "oldest", "first", "last-failed", "latest-full", "last-full", "auto"};

std::optional<std::string> integer_problem(std::string_view value, std::int64_t minimum) {
  const std::optional<std::int64_t> number = parse_integer(strip(value));
  if (!number && minimum > 0) return fmt::format("'{}' is not a valid input", value);
  if (number && *number >= minimum) return std::nullopt;
  return fmt::format("'{}' is not a valid {} integer", value,
                     minimum > 0 ? "positive" : "non negative");
}

// "20261121T014237"
bool has_backup_id_form(std::string_view text) {
  if (text.size() != 15 || text[8] != 'T') return false;
  return std::all_of(text.begin(), text.end(), [&text](const char& c) {
    return &c == &text[8] || std::isdigit(static_cast<unsigned char>(c)) != 0;
  });
}

std::optional<std::string> backup_name_problem(std::string_view value) {
  if (value.empty()) return "Backup name cannot be empty";
  const auto is_value = [value](std::string_view word) { return word == value; };
  if (has_backup_id_form(value)) {
    return fmt::format("Backup name '{}' is not allowed: backup ID", value);
  }
  if (std::any_of(kReservedBackupNames.begin(), kReservedBackupNames.end(), is_value)) {
    return fmt::format("Backup name '{}' is not allowed: reserved word", value);
  }
  return std::nullopt;
}

std::optional<std::string> choice_problem(std::span<const std::string_view> choices,
                                          std::string_view value) {
  std::vector<std::string> quoted;
  for (const std::string_view choice : choices) {
    if (choice == value) return std::nullopt;
    quoted.push_back(fmt::format("'{}'", choice));
  }
  return fmt::format("invalid choice: '{}' (choose from {})", value, join(quoted, ", "));
}

}  // namespace

std::optional<std::uint64_t> parse_staging_size(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::uint64_t>, 9> kUnits = {{
      {"Ki", std::uint64_t{1} << 10U},
      {"Mi", std::uint64_t{1} << 20U},
      {"Gi", std::uint64_t{1} << 30U},
      {"Ti", std::uint64_t{1} << 40U},
      {"k", 1'000},
      {"M", 1'000'000},
      {"G", 1'000'000'000},
      {"T", 1'000'000'000'000},
      {"", 1},
  }};
  for (const auto& [suffix, factor] : kUnits) {
    if (!text.ends_with(suffix)) continue;
    text.remove_suffix(suffix.size());
    const std::optional<std::int64_t> number = parse_integer(text);
    const bool is_number = number && *number >= 0 && text.front() != '+';
    if (!is_number ||
        static_cast<std::uint64_t>(*number) > std::numeric_limits<std::uint64_t>::max() / factor) {
      return std::nullopt;
    }
    return static_cast<std::uint64_t>(*number) * factor;
  }
  return std::nullopt;
}

std::optional<std::string> value_problem(ValueKind kind, std::span<const std::string_view> choices,
                                         std::string_view value) {
  switch (kind) {
    case ValueKind::flag:
    case ValueKind::help:
    case ValueKind::version:
    case ValueKind::text:
      return std::nullopt;
    case ValueKind::choice:
    case ValueKind::optional_choice:
      return choice_problem(choices, value);
    case ValueKind::non_negative:
      return integer_problem(value, 0);
    case ValueKind::positive:
      return integer_problem(value, 1);
    case ValueKind::timeline:
      if (value == "current" || value == "latest") return std::nullopt;
      return integer_problem(value, 1);
    case ValueKind::backup_name:
      return backup_name_problem(value);
    case ValueKind::absolute_path:
      if (value.starts_with('/')) return std::nullopt;
      return fmt::format("'{}' is not an absolute path", value);
    case ValueKind::staging_size:
      if (parse_staging_size(value)) return std::nullopt;
      return fmt::format("'{}' is not a valid size", value);
  }
  return std::nullopt;
}

}  // namespace barman::command_line
