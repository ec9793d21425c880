#include "catalogue/backup_word.h"

#include <algorithm>
#include <array>
#include <utility>

namespace barman::catalogue {

std::optional<BackupWord> parse_backup_word(std::string_view word) {
  constexpr std::array<std::pair<std::string_view, BackupWord>, 8> kWords = {{
      {"latest", BackupWord::newest},
      {"last", BackupWord::newest},
      {"latest-full", BackupWord::newest_full},
      {"last-full", BackupWord::newest_full},
      {"last-failed", BackupWord::newest_failed},
      {"oldest", BackupWord::oldest},
      {"first", BackupWord::oldest},
      {"auto", BackupWord::automatic},
  }};
  const auto* const found = std::find_if(kWords.begin(), kWords.end(),
                                         [&](const auto& item) { return item.first == word; });
  if (found == kWords.end()) return std::nullopt;
  return found->second;
}

}  // namespace barman::catalogue
