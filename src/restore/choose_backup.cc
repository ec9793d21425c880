#include "restore/choose_backup.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"

namespace barman::restore {
namespace {

// What --target-tli means before there is a backup to be relative to.
std::optional<wal::TimelineId> absolute_timeline(const RecoveryTarget& target,
                                                 const ArchivedTimelines& timelines) {
  if (!target.timeline_text) return std::nullopt;
  if (*target.timeline_text == "latest") return timelines.newest_with_segment;
  const std::optional<std::int64_t> number = parse_integer(*target.timeline_text);
  if (!number || *number <= 0 || *number > 0xFFFFFFFFLL) {
    throw Error(ErrorKind::usage, fmt::format("Invalid timeline '{}'", *target.timeline_text),
                "Give a positive number or 'latest'.");
  }
  return wal::TimelineId{static_cast<std::uint32_t>(*number)};
}

}  // namespace

void refuse_target_for_automatic_choice(const TargetRequest& request) {
  const char* refused = nullptr;
  if (request.xid) refused = "target_xid";
  if (request.name) refused = "target_name";
  if (request.immediate) refused = "target_immediate";
  if (refused != nullptr) {
    throw Error(
        ErrorKind::usage,
        fmt::format("For PITR without a backup_id, the only possible recovery targets are "
                    "target_time and target_lsn. '{}' recovery target is not allowed without a "
                    "backup_id.",
                    refused),
        "Name a backup instead of 'auto'.");
  }
  if (request.timeline == "current") {
    throw Error(ErrorKind::usage,
                "'current' is not a valid timeline keyword when recovering without a backup_id",
                "Give the number of the timeline, 'latest', or a backup.");
  }
}

const catalogue::BackupInfo& choose_backup(const std::vector<catalogue::BackupInfo>& backups,
                                           const std::set<catalogue::BackupId>& being_deleted,
                                           const RecoveryTarget& target,
                                           const ArchivedTimelines& timelines) {
  const std::optional<wal::TimelineId> timeline = absolute_timeline(target, timelines);
  const auto can_reach = [&](const catalogue::BackupInfo& backup) {
    if (!backup.is_copy_done() || being_deleted.contains(backup.id)) return false;
    if (target.time && (!backup.end_time || *backup.end_time > *target.time)) return false;
    if (target.lsn && (!backup.end_xlog || *backup.end_xlog > *target.lsn)) return false;
    return !timeline || (backup.wal_timeline() && timelines.descends_from(*timeline, backup));
  };
  const auto found = std::find_if(backups.rbegin(), backups.rend(), can_reach);
  if (found == backups.rend()) {
    throw Error(ErrorKind::not_found, "Cannot find any candidate backup for recovery.",
                "Run 'barman list-backups' to see which backups there are and when they ended.");
  }
  return *found;
}

}  // namespace barman::restore
