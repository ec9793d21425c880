// Small text operations, and the way numbers are shown to users.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace barman {

std::string_view strip(std::string_view text);
std::vector<std::string> split(std::string_view text, char separator);
std::vector<std::string> split_blanks(std::string_view text);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);
std::string replace_all(std::string text, std::string_view from, std::string_view to);

// The whole text as a decimal integer, nullopt otherwise.
std::optional<std::int64_t> parse_integer(std::string_view text);

// "0 B", "16.1 KiB", "-200 B".
std::string human_size(std::int64_t size_bytes);
// "2 minutes, 3 seconds", "less than one second", "1 day ago" for negative values.
std::string human_duration(double seconds);

// A float in its shortest round-trip form as Python's repr() prints it: "5.0", "1e-05",
// "1795225416.4135256".
std::string shortest_float(double value);

// For a POSIX shell: the text in single quotes. The one place where shell words are quoted.
std::string shell_quote(std::string_view text);

// Replaces passwords in connection strings and URIs by *REDACTED*.
std::string mask_passwords(std::string_view text);

}  // namespace barman
