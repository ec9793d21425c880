// The ID of a backup: the local time of its start, "20261121T014237".
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "base/timestamp.h"

namespace barman::catalogue {

// Ordered as text, which is the order of time.
struct BackupId {
  std::string value;
  friend auto operator<=>(const BackupId&, const BackupId&) = default;
};

// True for exactly eight digits, 'T', six digits.
bool is_backup_id(std::string_view text);
// nullopt unless is_backup_id().
std::optional<BackupId> parse_backup_id(std::string_view text);
// The ID of a backup that begins at `time`, in the timestamp's own offset.
BackupId make_backup_id(Timestamp time);

}  // namespace barman::catalogue
