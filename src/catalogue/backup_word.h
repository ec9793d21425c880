// The words that commands take instead of a backup's ID.
#pragma once

#include <optional>
#include <string_view>

namespace barman::catalogue {

enum class BackupWord { newest, newest_full, newest_failed, oldest, automatic };

// "latest" or "last", "latest-full" or "last-full", "last-failed", "oldest" or "first", "auto".
std::optional<BackupWord> parse_backup_word(std::string_view word);

}  // namespace barman::catalogue
