#include "wal_archive/wal_listing.h"

#include <optional>

#include "wal/wal_file_name.h"

namespace barman::wal_archive {

std::vector<std::string> list_wals_until_next(const std::vector<catalogue::BackupInfo>& backups,
                                              const catalogue::BackupInfo& backup,
                                              const WalLines& lines) {
  std::vector<std::string> names;
  if (!backup.begin_wal) return names;
  const catalogue::BackupInfo* const next = catalogue::next_backup(backups, backup.id);
  const std::string end = next != nullptr ? next->end_wal.value_or("") : "";
  const std::optional<wal::TimelineId> timeline = backup.wal_timeline();
  bool is_before_end = true;
  lines([&](const WalIndexLine& line) {
    const std::optional<wal::WalFileName> name = wal::parse_wal_file_name(line.name);
    if (!name) return Visit::proceed;
    if (name->kind == wal::WalFileKind::history) {
      if (is_before_end) names.push_back(name->name);
      return Visit::proceed;
    }
    if (name->kind != wal::WalFileKind::segment || name->name < *backup.begin_wal ||
        (timeline && *timeline < name->timeline)) {
      return Visit::proceed;
    }
    // Lines are not always in order: what comes late is listed all the same.
    if (!end.empty() && end < name->name) {
      is_before_end = false;
    } else {
      names.push_back(name->name);
    }
    return Visit::proceed;
  });
  return names;
}

}  // namespace barman::wal_archive
