#include "catalogue/backup_id.h"

#include <algorithm>

namespace barman::catalogue {
namespace {

constexpr std::size_t kLength = 15;
constexpr std::size_t kSeparatorIndex = 8;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

bool is_backup_id(std::string_view text) {
  if (text.size() != kLength || text[kSeparatorIndex] != 'T') return false;
  const std::string_view date = text.substr(0, kSeparatorIndex);
  const std::string_view time = text.substr(kSeparatorIndex + 1);
  return std::all_of(date.begin(), date.end(), is_digit) &&
         std::all_of(time.begin(), time.end(), is_digit);
}

std::optional<BackupId> parse_backup_id(std::string_view text) {
  if (!is_backup_id(text)) return std::nullopt;
  return BackupId{std::string(text)};
}

BackupId make_backup_id(Timestamp time) { return BackupId{format_compact(time)}; }

}  // namespace barman::catalogue
