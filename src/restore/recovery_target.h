// Where recovery shall end, validated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/timestamp.h"
#include "catalogue/backup_info.h"
#include "restore/restore_request.h"
#include "wal/lsn.h"
#include "wal/timeline_target.h"

namespace barman::restore {

enum class TargetAction { pause, shutdown, promote };
// The word of recovery_target_action.
std::string_view to_text(TargetAction action);

struct RecoveryTarget {
  std::optional<Timestamp> time;
  // The user gave no zone: the zone of this host was assumed.
  bool zone_was_assumed = false;
  // The clock of this host shows it twice, or never: which moment was taken, and how to say the
  // other one. "" = it shows it once.
  std::string zone_doubt;
  std::optional<std::string> xid;
  std::optional<wal::Lsn> lsn;
  // As typed, because it is written so.
  std::string lsn_text;
  std::optional<std::string> name;
  bool immediate = false;
  std::optional<wal::TimelineTarget> timeline;
  bool exclusive = false;
  std::optional<TargetAction> action;

  // Any target, the timeline alone too, makes a point-in-time recovery.
  bool is_pitr() const { return time || xid || lsn || name || immediate || timeline.has_value(); }
};

// "You cannot specify multiple targets …". The first of all checks.
void refuse_multiple_targets(const TargetRequest& request);

// Throws `usage` for what PostgreSQL could not read.
RecoveryTarget parse_target(const TargetRequest& request);

// PostgreSQL ends behind a restore point, and at the end of a backup, whatever it says.
bool is_exclusive_in_vain(const RecoveryTarget& target);
constexpr const char* kExclusiveInVain =
    "--exclusive has no effect: it goes with --target-time, --target-xid and --target-lsn only.";

// The hint of a refusal; it begins with the other moment that the user may have meant.
std::string with_zone_doubt(const RecoveryTarget& target, const std::string& hint);

// Against the backup and the version of its server: target before its end, action without target.
void refuse_impossible_target(const RecoveryTarget& target, const catalogue::BackupInfo& backup);

// The last segment that the target can need; nullopt: all there are. Where another target than
// the end of the backup lies is known when the WAL has been read (wal_reading.h): the first record
// at or behind a target LSN may be longer than segments are.
std::optional<std::uint64_t> last_number_needed(const RecoveryTarget& target,
                                                const catalogue::BackupInfo& backup);

// "time: '2026-11-21 01:43:14+00:00', timeline: '1'"
std::string describe_target(const RecoveryTarget& target, std::optional<wal::TimelineId> timeline);

}  // namespace barman::restore
