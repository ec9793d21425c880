#include "wal_transfer/checksum_list.h"

#include <algorithm>
#include <cctype>

#include "base/text.h"

namespace barman::wal_transfer {
namespace {

constexpr std::size_t kShownBytes = 200;
constexpr std::string_view kHexDigits = "0123456789ABCDEFabcdef";

bool parse_line(std::string_view line, ChecksumList& list) {
  const std::size_t digits = std::min(line.find_first_not_of(kHexDigits), line.size());
  const std::string_view rest = line.substr(digits);
  if (digits == 0 || rest.size() < 3 || rest[0] != ' ' || (rest[1] != ' ' && rest[1] != '*')) {
    return false;
  }
  std::string_view name = rest.substr(2);
  if (name.starts_with("./")) name.remove_prefix(2);
  if (name.empty()) return false;
  list.checksums[std::string(name)] = to_lower(std::string(line.substr(0, digits)));
  return true;
}

std::string shown(std::string_view line) {
  std::string text(line.substr(0, kShownBytes));
  if (text.size() < line.size()) text += "...";
  return text;
}

}  // namespace

ChecksumList parse_checksum_list(std::string_view text) {
  ChecksumList list;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.empty() && !parse_line(line, list)) list.bad_lines.push_back(shown(line));
  }
  return list;
}

}  // namespace barman::wal_transfer
