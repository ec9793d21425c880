#include "config/option_value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "config/ini_document.h"

namespace barman::config {
namespace {

constexpr std::int64_t kMaxInterval = std::int64_t{999'999'999} * 24;  // hours
constexpr std::string_view kUrlRefusal =
    "The URL is not compatible with any of the supported cloud providers";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Takes a run of digits off the front.
std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t value = 0;
  if (text.empty() || !is_digit(text.front())) return std::nullopt;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::optional<std::int64_t> multiply(std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) return std::nullopt;
  return result;
}

// Digits with single '_' between them and an optional sign, as Python reads integers.
std::optional<std::int64_t> parse_python_integer(std::string_view text) {
  text = strip(text);
  std::string digits;
  std::size_t i = 0;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    if (text[0] == '-') digits.push_back('-');
    i = 1;
  }
  for (bool after_digit = false; i < text.size(); ++i) {
    if (text[i] == '_') {
      if (!after_digit || i + 1 == text.size()) return std::nullopt;
      after_digit = false;
      continue;
    }
    if (!is_digit(text[i])) return std::nullopt;
    digits.push_back(text[i]);
    after_digit = true;
  }
  return parse_integer(digits);
}

std::string integer_refusal(std::string_view text) {
  return fmt::format("invalid literal for int() with base 10: '{}'", text);
}

bool contains(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

ParsedOption refuse(std::string reason) { return {.value = {}, .refusal = std::move(reason)}; }

template <typename T>
ParsedOption accept_or_refuse(std::optional<T> value, std::string_view text,
                              std::string_view expected) {
  if (value) return {.value = std::move(*value)};
  return refuse(fmt::format("Invalid value: '{}' (must be {})", text, expected));
}

ParsedOption parse_integer_option(std::string_view text,
                                  std::int64_t minimum = std::numeric_limits<std::int64_t>::min()) {
  const auto value = parse_python_integer(text);
  if (!value) return refuse(integer_refusal(text));
  if (*value < minimum) return refuse(fmt::format("must be {} or more", minimum));
  return {.value = *value};
}

ParsedOption parse_word(const Option& option, std::string_view text) {
  const std::string word =
      option.type == OptionType::cased_word ? std::string(text) : to_lower(text);
  const std::vector<std::string> words = split_blanks(option.words);
  if (!contains(words, word))
    return refuse(fmt::format("Invalid value '{}' (must be one in: {})", text, join(words, ", ")));
  // Not compressing WAL files is the absence of a compression; the word exists to override what
  // [barman] or, in a model, the server says.
  if (option.name == "compression" && word == "none") return {.is_none = true};
  return {.value = word};
}

ParsedOption parse_word_set(const Option& option, std::string_view text) {
  const std::vector<std::string> allowed = split_blanks(option.words);
  std::vector<std::string> words;
  for (const std::string& part : split(text, ',')) {
    std::string word = to_lower(strip(part));
    if (!contains(allowed, word))
      return refuse(fmt::format("Invalid value '{}' for {}: Unknown option", word, option.name));
    if (!contains(words, word)) words.push_back(std::move(word));
  }
  if (contains(words, "exclusive_backup") && contains(words, "concurrent_backup"))
    return refuse(fmt::format("{} cannot contain both 'exclusive_backup' and 'concurrent_backup'",
                              option.name));
  std::sort(words.begin(), words.end());
  return {.value = std::move(words)};
}

// "s3://BUCKET...", "gs://BUCKET...", and the two https forms of Google Cloud and Azure.
bool is_supported_url(std::string_view url) {
  constexpr std::string_view kGoogleConsole = "https://console.cloud.google.com/storage/browser/";
  constexpr std::string_view kAzureHost = ".blob.core.windows.net";
  const auto has_first_part = [](std::string_view rest) {
    return !rest.empty() && rest.front() != '/';
  };
  if (url.starts_with("s3://") || url.starts_with("gs://")) return has_first_part(url.substr(5));
  if (url.starts_with(kGoogleConsole)) return has_first_part(url.substr(kGoogleConsole.size()));
  if (!url.starts_with("https://")) return false;
  const std::string_view rest = url.substr(8);
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view host = rest.substr(0, slash);
  return host.size() > kAzureHost.size() && host.ends_with(kAzureHost) && slash < rest.size() &&
         has_first_part(rest.substr(slash + 1));
}

ParsedOption parse_location(std::string_view text) {
  if (is_cloud_url(text) && !is_supported_url(text)) return refuse(std::string(kUrlRefusal));
  return {.value = std::string(text)};
}

ParsedOption parse_absolute_path(std::string_view text) {
  if (!text.starts_with('/'))
    return refuse(fmt::format("Invalid value : '{}' (must be an absolute path)", text));
  return {.value = std::string(text)};
}

ParsedOption parse_slot(std::string_view text) {
  std::string name = to_lower(text);
  const bool valid = std::all_of(name.begin(), name.end(), [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || c == '_';
  });
  if (valid) return {.value = std::move(name)};
  return refuse(
      fmt::format("Invalid value: '{}' (must be only letters, digits and underscores)", text));
}

ParsedOption parse_list(std::string_view text) {
  std::vector<std::string> items = split(text, ',');
  if (contains(items, "")) return refuse(fmt::format("Invalid value: '{}' (empty item)", text));
  return {.value = std::move(items)};
}

ParsedOption parse_level(std::string_view text) {
  const std::string word = to_lower(text);
  if (word == "low" || word == "medium" || word == "high") return {.value = word};
  if (const auto number = parse_python_integer(text)) return {.value = fmt::to_string(*number)};
  return refuse(fmt::format("Invalid value: '{}' (must be low, medium, high or an integer)", text));
}

ParsedOption parse_hexadecimal(std::string_view text) {
  const std::string lower = to_lower(text);
  const bool valid = lower.starts_with("0x") && lower.size() > 2 &&
                     lower.find_first_not_of("0123456789abcdef", 2) == std::string::npos;
  return accept_or_refuse(valid ? std::optional(std::string(text)) : std::nullopt, text,
                          "a hexadecimal number such as 0x1f8b");
}

ParsedOption fall_back(const Option& option, OptionData value, std::string_view text) {
  return {.value = std::move(value),
          .log_lines = {fmt::format("Invalid {} '{}', using the default", option.name, text)}};
}

ParsedOption parse_one_word(const Option& option, std::string_view text) {
  if (text == option.words) return {.value = std::string(text)};
  return fall_back(option, std::string(option.words), text);
}

ParsedOption parse_count(const Option& option, std::string_view text) {
  const auto value = parse_python_integer(text);
  if (value && *value >= 0) return {.value = *value};
  return fall_back(option, std::int64_t{0}, text);
}

ParsedOption parse_rate(const Option& option, std::string_view text) {
  const auto value = parse_python_integer(text);
  if (value && *value >= 0) return {.value = *value};
  return fall_back(option, {}, text);
}

// Commas and blanks separate the rules: the manual shows the first, Barman accepts the second.
ParsedOption parse_tablespace_limits(std::string_view text) {
  ParsedOption result;
  TablespaceLimits limits;
  std::string blanks(text);
  std::replace(blanks.begin(), blanks.end(), ',', ' ');
  for (const std::string& rule : split_blanks(blanks)) {
    const std::size_t colon = rule.rfind(':');
    const auto limit = colon == std::string::npos || colon == 0
                           ? std::nullopt
                           : parse_python_integer(std::string_view(rule).substr(colon + 1));
    if (limit && *limit >= 0) {
      limits.insert_or_assign(rule.substr(0, colon), *limit);
    } else {
      result.log_lines.push_back(
          fmt::format("Invalid tablespace_bandwidth_limit rule '{}' ignored", rule));
    }
  }
  if (!limits.empty()) result.value = std::move(limits);
  return result;
}

ParsedOption parse_retention(const Option& option, std::string_view text) {
  if (const auto policy = parse_retention_policy(text)) return {.value = *policy};
  return {.log_lines = {fmt::format("Invalid {} '{}': it is not enforced", option.name, text)}};
}

bool allows_inline_comment(OptionType type) {
  switch (type) {
    case OptionType::text:
    case OptionType::path:
    case OptionType::absolute_path:
    case OptionType::location:
    case OptionType::list:
      return false;
    default:
      return true;
  }
}

}  // namespace

bool means_unset(std::string_view text) { return strip(text).empty() || text == "None"; }

std::optional<bool> parse_boolean(std::string_view text) {
  constexpr std::array<std::string_view, 5> kTrue = {"true", "t", "yes", "1", "on"};
  constexpr std::array<std::string_view, 5> kFalse = {"false", "f", "no", "0", "off"};
  const std::string word = to_lower(text);
  if (std::find(kTrue.begin(), kTrue.end(), word) != kTrue.end()) return true;
  if (std::find(kFalse.begin(), kFalse.end(), word) != kFalse.end()) return false;
  return std::nullopt;
}

std::string boolean_refusal() {
  return "Invalid boolean representation (must be one in: true|t|yes|1|on | false|f|no|0|off)";
}

std::optional<RetentionPolicy> parse_retention_policy(std::string_view text) {
  const std::vector<std::string> words = split_blanks(to_lower(text));
  RetentionPolicy policy;
  const auto read_count = [&](std::string_view word) {
    const auto count = take_number(word);
    policy.count = count.value_or(0);
    return count && word.empty();
  };
  if (words.size() == 2 && words[0] == "redundancy" && read_count(words[1])) return policy;
  if (words.size() != 5 || words[0] != "recovery" || words[1] != "window" || words[2] != "of" ||
      !read_count(words[3]))
    return std::nullopt;
  policy.kind = RetentionPolicy::Kind::recovery_window;
  std::string unit = words[4];
  if (unit.ends_with('s')) unit.pop_back();
  if (unit == "day") return policy;
  policy.unit = unit == "week" ? RetentionPolicy::Unit::weeks : RetentionPolicy::Unit::months;
  return unit == "week" || unit == "month" ? std::optional(policy) : std::nullopt;
}

std::optional<Interval> parse_interval(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 4> kUnits = {
      {{"hour", 1}, {"day", 24}, {"week", 24 * 7}, {"month", 24 * 31}}};
  const std::vector<std::string> words = split_blanks(to_lower(text));
  if (words.size() != 2) return std::nullopt;
  std::string_view number = words[0];
  const auto count = take_number(number);
  if (!count || !number.empty()) return std::nullopt;
  std::string_view unit = words[1];
  if (unit.ends_with('s')) unit.remove_suffix(1);
  for (const auto& [name, hours] : kUnits) {
    if (unit != name) continue;
    const auto total = multiply(*count, hours);
    if (total && *total <= kMaxInterval) return Interval{*total};
  }
  return std::nullopt;
}

std::optional<std::int64_t> parse_size(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 9> kSuffixes = {
      {{"", 1},
       {"k", 1000},
       {"Ki", std::int64_t{1} << 10},
       {"M", 1'000'000},
       {"Mi", std::int64_t{1} << 20},
       {"G", 1'000'000'000},
       {"Gi", std::int64_t{1} << 30},
       {"T", 1'000'000'000'000},
       {"Ti", std::int64_t{1} << 40}}};
  text = strip(text);
  const auto count = take_number(text);
  if (!count) return std::nullopt;
  const std::string_view suffix = strip(text);
  for (const auto& [name, factor] : kSuffixes)
    if (suffix == name) return multiply(*count, factor);
  return std::nullopt;
}

std::string_view without_inline_comment(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((text[i] == ';' || text[i] == '#') && (i == 0 || is_blank(text[i - 1])))
      return unquote(strip(text.substr(0, i)));
  }
  return text;
}

ParsedOption parse_option(const Option& option, std::string_view text) {
  if (allows_inline_comment(option.type)) text = without_inline_comment(text);
  if (means_unset(text)) return {};
  switch (option.type) {
    case OptionType::boolean: {
      if (const auto value = parse_boolean(text)) return {.value = *value};
      return refuse(boolean_refusal());
    }
    case OptionType::integer:
      return parse_integer_option(text);
    case OptionType::natural:
      return parse_integer_option(text, 0);
    case OptionType::positive:
      return parse_integer_option(text, 1);
    case OptionType::text:
    case OptionType::path:
      return {.value = std::string(text)};
    case OptionType::word:
    case OptionType::cased_word:
      return parse_word(option, text);
    case OptionType::word_set:
      return parse_word_set(option, text);
    case OptionType::interval:
      return accept_or_refuse(parse_interval(text), text,
                              "a number and a unit: hours, days, weeks or months");
    case OptionType::size:
      return accept_or_refuse(parse_size(text), text,
                              "a number with an optional suffix: k Ki M Mi G Gi T Ti");
    case OptionType::absolute_path:
      return parse_absolute_path(text);
    case OptionType::location:
      return parse_location(text);
    case OptionType::slot:
      return parse_slot(text);
    case OptionType::list:
      return parse_list(text);
    case OptionType::level:
      return parse_level(text);
    case OptionType::rate:
      return parse_rate(option, text);
    case OptionType::tablespace_limits:
      return parse_tablespace_limits(text);
    case OptionType::retention:
      return parse_retention(option, text);
    case OptionType::hexadecimal:
      return parse_hexadecimal(text);
    case OptionType::one_word:
      return parse_one_word(option, text);
    case OptionType::count:
      return parse_count(option, text);
  }
  return {};
}

}  // namespace barman::config
