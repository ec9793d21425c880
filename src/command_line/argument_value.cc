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

std::optional<std::string> level_problem(std::string_view value) {
  const std::string word = to_lower(value);
  if (word == "low" || word == "medium" || word == "high" || parse_integer(value)) {
    return std::nullopt;
  }
  return fmt::format("invalid compression level: '{}' (low, medium, high or an integer)", value);
}

constexpr std::string_view kOtherTagLetters = " \t_.:/=+-@";

bool is_tag_text(std::string_view text, std::size_t shortest, std::size_t longest) {
  return text.size() >= shortest && text.size() <= longest &&
         std::all_of(text.begin(), text.end(), [](char letter) {
           // Letters of other scripts are letters, too.
           return std::isalnum(static_cast<unsigned char>(letter)) != 0 ||
                  static_cast<unsigned char>(letter) >= 0x80 ||
                  kOtherTagLetters.find(letter) != std::string_view::npos;
         });
}

// "12", "1.5"; nothing else that strtod() would take.
std::optional<double> parse_decimal(std::string_view text) {
  const std::size_t dot = text.find('.');
  const std::string_view whole = text.substr(0, dot);
  const std::string_view fraction =
      dot == std::string_view::npos ? std::string_view("0") : text.substr(dot + 1);
  const auto is_digits = [](std::string_view digits) {
    return !digits.empty() && digits.size() < 16 &&
           std::all_of(digits.begin(), digits.end(),
                       [](unsigned char letter) { return std::isdigit(letter) != 0; });
  };
  if (!is_digits(whole) || !is_digits(fraction)) return std::nullopt;
  return std::stod(std::string(text));
}

}  // namespace

std::optional<std::uint64_t> parse_transfer_size(std::string_view text) {
  constexpr std::string_view kPrefixes = "KMGTPEZY";
  constexpr double kLimit = 9e18;
  std::string number = to_upper(text);
  bool is_decimal = false;
  double factor = 1;
  if (number.ends_with('B')) {
    number.pop_back();
    const bool has_i = number.ends_with('I');
    if (has_i) number.pop_back();
    const std::size_t power =
        number.empty() ? std::string_view::npos : kPrefixes.find(number.back());
    if (power != std::string_view::npos) {
      number.pop_back();
      is_decimal = true;
      for (std::size_t i = 0; i <= power; ++i) factor *= has_i ? 1000 : 1024;
    } else if (has_i) {
      return std::nullopt;
    }
  }
  const auto value = parse_decimal(number);
  if (!value || (!is_decimal && number.find('.') != std::string::npos)) return std::nullopt;
  const double size = *value * factor;
  if (size < 1 || size > kLimit) return std::nullopt;
  return static_cast<std::uint64_t>(size);
}

std::optional<std::pair<std::string, std::string>> parse_object_tag(std::string_view text) {
  constexpr std::size_t kLongestKey = 128;
  constexpr std::size_t kLongestValue = 256;
  const std::size_t comma = text.find(',');
  if (comma == std::string_view::npos) return std::nullopt;
  std::string key(strip(text.substr(0, comma)));
  std::string value(strip(text.substr(comma + 1)));
  if (!is_tag_text(key, 1, kLongestKey) || !is_tag_text(value, 0, kLongestValue) ||
      to_lower(key).starts_with("aws:")) {
    return std::nullopt;
  }
  return std::pair(std::move(key), std::move(value));
}

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
      if (value == "current" || value == "latest" || !integer_problem(value, 1)) return {};
      return *integer_problem(value, 1) + " (give a number, 'current' or 'latest')";
    case ValueKind::backup_name:
      return backup_name_problem(value);
    case ValueKind::absolute_path:
      if (value.starts_with('/')) return std::nullopt;
      return fmt::format("'{}' is not an absolute path", value);
    case ValueKind::staging_size:
      if (parse_staging_size(value)) return std::nullopt;
      return fmt::format("'{}' is not a valid size", value);
    case ValueKind::integer:
      if (parse_integer(strip(value))) return std::nullopt;
      return fmt::format("invalid int value: '{}'", value);
    case ValueKind::transfer_size:
      if (parse_transfer_size(value)) return std::nullopt;
      return fmt::format("'{}' is not a valid size string", value);
    case ValueKind::object_tag:
      if (parse_object_tag(value)) return std::nullopt;
      return fmt::format(
          "'{}' is not a valid tag: KEY,VALUE with a key of 1 to 128 and a value of "
          "up to 256 letters, digits, blanks or _ . : / = + - @, and no key that "
          "begins with aws:",
          value);
    case ValueKind::compression_level:
      return level_problem(value);
  }
  return std::nullopt;
}

}  // namespace barman::command_line
