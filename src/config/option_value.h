// From the text of a setting to its value: one function for all options, driven by the table, so
// that configuration files, the command line and config-update accept and refuse the same.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/option_table.h"

namespace barman::config {

struct ParsedOption {
  OptionData value;
  // Why the text is refused, as Barman words it; the value then counts as absent.
  std::optional<std::string> refusal;
  // Oddities that are logged while a fallback is taken.
  std::vector<std::string> log_lines;
  // The word "none": no value, and none from elsewhere either.
  bool is_none = false;
};

// Empty text and the word None: the option is explicitly unset. `text` is interpolated and
// unquoted.
bool means_unset(std::string_view text);

// The text up to " ; ..." or " # ...", unquoted when something was cut off.
std::string_view without_inline_comment(std::string_view text);

// An inline comment (" ; ..." or " # ...") is dropped where the type leaves no doubt about it.
ParsedOption parse_option(const Option& option, std::string_view text);

// Types used outside the table, too.
std::optional<bool> parse_boolean(std::string_view text);
std::string boolean_refusal();
std::optional<RetentionPolicy> parse_retention_policy(std::string_view text);
std::optional<Interval> parse_interval(std::string_view text);
std::optional<std::int64_t> parse_size(std::string_view text);

}  // namespace barman::config
