#include "base/text.h"
#include "base/redacted.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace barman {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\f\v";

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }
char upper(char c) { return static_cast<char>(std::toupper(static_cast<unsigned char>(c))); }

// Where the password begins when "sshpass -p" stands at `i`; npos when it does not.
std::size_t sshpass_begin(std::string_view text, std::size_t i) {
  constexpr std::string_view kProgram = "sshpass";
  if (!text.substr(i).starts_with(kProgram)) return std::string_view::npos;
  const std::size_t option = text.find_first_not_of(" \t", i + kProgram.size());
  if (option == std::string_view::npos || option == i + kProgram.size() ||
      !text.substr(option).starts_with("-p")) {
    return std::string_view::npos;
  }
  return std::min(text.find_first_not_of(" \t", option + 2), text.size());
}

// Where the value begins when "password=" stands at `i`, blanks around the sign allowed as in
// libpq's connection strings, or "sshpass -p"; npos when neither does.
std::size_t password_begin(std::string_view text, std::size_t i) {
  constexpr std::string_view kKey = "password";
  const auto skip_blanks = [&](std::size_t from) {
    return std::min(text.find_first_not_of(" \t", from), text.size());
  };
  if (text[i] == 's') return sshpass_begin(text, i);
  if (lower(text[i]) != 'p' || to_lower(text.substr(i, kKey.size())) != kKey) {
    return std::string_view::npos;
  }
  const std::size_t sign = skip_blanks(i + kKey.size());
  if (sign == text.size() || text[sign] != '=') return std::string_view::npos;
  return skip_blanks(sign + 1);
}

// Whether a quote that ends before `i` is followed by more of the same word.
bool continues_word(std::string_view text, std::size_t i) {
  constexpr std::string_view kAfterWords = "\",;:.)]}>&";
  if (i >= text.size()) return false;
  if (text[i] == '\\') return text.substr(i, 2) == "\\'";  // else an escaped line end
  return kBlanks.find(text[i]) == std::string_view::npos &&
         kAfterWords.find(text[i]) == std::string_view::npos;
}

// The end of a password value that begins at `begin`: a single-quoted word with \ escapes, or up to
// a blank. Nobody knows where a value ends whose quotes are wrong: the end of the text is taken.
std::size_t password_end(std::string_view text, std::size_t begin) {
  if (begin < text.size() && text[begin] == '\'') {
    std::size_t i = begin + 1;
    while (i < text.size() && text[i] != '\'') i += text[i] == '\\' ? 2U : 1U;
    return continues_word(text, i + 1) ? text.size() : std::min(i + 1, text.size());
  }
  std::size_t i = begin;
  const auto is_end = [&] {
    if (text[i] == '\'' || text[i] == '"') return !continues_word(text, i + 1);
    return text[i] == '&' || kBlanks.find(text[i]) != std::string_view::npos;
  };
  while (i < text.size() && !is_end()) {
    i += text[i] == '\\' ? 2U : 1U;
  }
  return std::min(i, text.size());
}

}  // namespace

std::string_view strip(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t end = text.find(separator, begin);
    parts.emplace_back(text.substr(begin, end == std::string_view::npos ? end : end - begin));
    if (end == std::string_view::npos) return parts;
    begin = end + 1;
  }
}

std::vector<std::string> split_blanks(std::string_view text) {
  std::vector<std::string> parts;
  std::size_t begin = text.find_first_not_of(kBlanks);
  while (begin != std::string_view::npos) {
    const std::size_t end = std::min(text.find_first_of(kBlanks, begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(kBlanks, end);
  }
  return parts;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts, separator));
}

std::string to_lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), lower);
  return result;
}

std::string to_upper(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), upper);
  return result;
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t i = text.find(from); i != std::string::npos;
       i = text.find(from, i + to.size())) {
    text.replace(i, from.size(), to);
  }
  return text;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::string human_size(std::int64_t size_bytes) {
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto value = static_cast<double>(size_bytes);
  std::size_t unit = 0;
  while (std::abs(value) >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  if (unit == 0) return fmt::format("{} B", size_bytes);
  return fmt::format("{:.1f} {}", value, kUnits.at(unit));
}

std::string human_duration(double seconds) {
  if (seconds < 0) return human_duration(-seconds) + " ago";
  auto rest = static_cast<std::int64_t>(seconds);
  if (rest < 1) return "less than one second";
  std::vector<std::string> parts;
  const auto add = [&](std::int64_t unit_seconds, std::string_view name) {
    const std::int64_t count = rest / unit_seconds;
    rest %= unit_seconds;
    if (count > 0) parts.push_back(fmt::format("{} {}{}", count, name, count == 1 ? "" : "s"));
  };
  add(86400, "day");
  add(3600, "hour");
  add(60, "minute");
  add(1, "second");
  return join(parts, ", ");
}

std::string shortest_float(double value) {
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  if (std::isnan(value)) return "nan";
  // Python switches to the exponent form below 1e-4 and from 1e16 on; fmt's default does the same.
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string shell_quote(std::string_view text) {
  return "'" + replace_all(std::string(text), "'", "'\\''") + "'";
}

std::string mask_passwords(std::string_view text) {
  // Nearly every line: nothing that looks like a connection string.
  if (text.find('=') == std::string_view::npos && text.find("://") == std::string_view::npos &&
      text.find("sshpass") == std::string_view::npos) {
    return std::string(text);
  }
  std::string result;
  std::size_t i = 0;
  while (i < text.size()) {
    if (const std::size_t begin = password_begin(text, i); begin != std::string_view::npos) {
      result.append(text.substr(i, begin - i)).append(kRedacted);
      // What is masked already stays, whatever follows it.
      i = text.substr(begin).starts_with(kRedacted) ? begin + kRedacted.size()
                                                    : password_end(text, begin);
      continue;
    }
    if (text.substr(i, 3) == "://") {
      const std::size_t at = text.find_first_of("@/ \t\n'\"", i + 3);
      const std::size_t colon = text.find(':', i + 3);
      if (at != std::string_view::npos && text[at] == '@' && colon < at) {
        result.append(text.substr(i, colon + 1 - i)).append(kRedacted);
        i = at;
        continue;
      }
    }
    result.push_back(text[i++]);
  }
  return result;
}

}  // namespace barman
