// Which backups a retention policy still needs. Pure: facts in, a report
// out; deleting is the business of others.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/timestamp.h"
#include "catalogue/backup_info.h"
#include "catalogue/branches.h"
#include "catalogue/catalogue.h"

namespace barman::catalogue {

struct RetentionRule {
  enum class Kind { redundancy, recovery_window };
  Kind kind = Kind::redundancy;
  // redundancy: the number of backups.
  std::uint64_t count = 0;
  // recovery_window: its length.
  std::int64_t seconds = 0;
};

enum class RetentionStatus {
  valid,
  obsolete,
  // Obsolete by the window, kept for minimum_redundancy.
  potentially_obsolete,
  keep_full,
  keep_standalone,
  none,
};
// "VALID", "OBSOLETE", "OBSOLETE*", "KEEP:FULL", "KEEP:STANDALONE", "-".
std::string_view retention_text(RetentionStatus status);

struct RetentionVerdict {
  BackupId id;
  RetentionStatus status = RetentionStatus::none;
  // One sentence for people.
  std::string reason;
  // The policy itself needs this backup (or its root), keep or not: its WAL stays needed, and a
  // standalone keep does not weaken it.
  bool is_inside_policy = false;
  // A backup that depends on this one is being taken: an obsolete one must wait.
  bool has_running_descendant = false;
};

struct RetentionInput {
  RetentionRule rule;
  std::uint64_t minimum_redundancy = 0;
  // A backup about which there is a doubt (find_doubt()) does not count, and is not obsolete.
  Annotations annotations;
  // A backup from which the present cannot be reached does not count, either. It stays as long as a
  // backup of its age stays that counts.
  Branches branches;
  Timestamp now;
};

// A verdict for each backup but EMPTY ones, ascending. `backups` ascending by ID.
std::vector<RetentionVerdict> apply_retention(const std::vector<BackupInfo>& backups,
                                              const RetentionInput& input);
// Backups kept standalone that the policy does not need: the WAL after them may go.
std::set<BackupId> standalone_outside_policy(const std::vector<RetentionVerdict>& verdicts);
// Those kept standalone of whose WAL only begin to end is needed: with a policy (`input`) as above,
// without one (nullptr) all of them.
std::set<BackupId> standalone_backups(const std::vector<BackupInfo>& backups,
                                      const Annotations& annotations, const RetentionInput* input);
// The obsolete ones in the order to delete them: trees oldest root first, in a tree the leaves
// first.
std::vector<BackupId> obsolete_in_order(const std::vector<BackupInfo>& backups,
                                        const std::vector<RetentionVerdict>& verdicts);

}  // namespace barman::catalogue
