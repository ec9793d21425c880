// Is the WAL that a backup needs in the archive? The decision is pure; what is archived is asked
// through ArchiveLookup, so that no directory is listed that the decision does not need.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "catalogue/backup_info.h"
#include "wal/lsn.h"

namespace barman::wal_archive {

struct ArchiveLookup {
  // The greatest name of a whole segment that is archived on a timeline.
  std::function<std::optional<std::string>(wal::TimelineId)> last_segment;
  std::function<bool(const std::string& segment)> is_archived;
  // Whether a segment that is not archived, while later ones are, may still arrive: WAL takes
  // several ways, and some are tried again. Empty: it may not.
  std::function<bool(const std::string& segment)> can_arrive = {};
};

// Looks into `wals/`: hash directories of the timeline in reverse order.
std::optional<std::string> find_last_archived_segment(const std::filesystem::path& wals_directory,
                                                      wal::TimelineId timeline);

struct WalCheckResult {
  enum class Outcome { unchanged, waiting, done, failed };
  Outcome outcome = Outcome::unchanged;
  // Why the backup failed: the text for the `error` field.
  std::string reason;
};

// A backup that waits for WAL waits on while a missing segment can arrive; one that was DONE had
// it, and has lost it. Throws `conflict` for a failed backup: "The validity of a failed backup
// cannot be checked", unless it failed for missing WAL only, which is there now.
WalCheckResult check_backup_wal(const catalogue::BackupInfo& backup, const ArchiveLookup& archive);
// Whether nothing but missing WAL has made the backup FAILED.
bool has_failed_for_wal(const catalogue::BackupInfo& backup);
// Puts the result into status and error. The caller saves.
void apply_wal_check(const WalCheckResult& result, catalogue::BackupInfo& backup);

// The names from begin_wal to end_wal; empty when one is unknown or they differ in timeline. Throws
// `corrupt`: "invalid WAL segment name 'X'".
std::vector<std::string> required_segments(const catalogue::BackupInfo& backup);

}  // namespace barman::wal_archive
