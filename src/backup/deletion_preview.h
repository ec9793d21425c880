// What delete and the retention policy would do: the dry runs of `delete` and `cron`. Pure: facts
// of the catalogue in, a value out; nothing is touched and no lock is taken. The deletions are
// played through one by one with the plans that the real ones follow (catalogue/deletion.h,
// retention.h, wal_removal.h), so that both come to the same result.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalogue/catalogue.h"
#include "catalogue/retention.h"
#include "wal_archive/wal_index.h"
#include "wal_archive/wal_removal.h"
#include "wal_archive/wal_statistics.h"

namespace barman::backup {

struct DeletionFacts {
  std::string server_name;
  catalogue::BackupList list;
  catalogue::Annotations annotations;
  // Backups that do not reach the present do not count for the minimum redundancy.
  catalogue::Branches branches;
  // nullopt without a retention policy.
  std::optional<catalogue::RetentionInput> retention;
  // The policy is applied by cron (retention_policy_mode = auto).
  bool is_enforced = false;
  std::uint64_t minimum_redundancy = 0;
  // A setting that is not understood: no policy is enforced then, or nothing may be deleted at all.
  std::optional<std::string> retention_doubt = {};
  std::optional<std::string> deletion_doubt = {};
  // FAILED ones that cron deletes after the policy (`--remove-failed`).
  std::vector<catalogue::BackupId> superseded_failures = {};
};

// The backups that a retention run removes, in this order: interrupted deletions first, then what
// the policy does not need. Kept backups are none of them.
std::vector<catalogue::BackupId> list_doomed(const DeletionFacts& facts);

struct BackupFate {
  enum class Action { keep, remove, wait };
  catalogue::BackupId id;
  Action action = Action::keep;
  // none without a policy.
  catalogue::RetentionStatus status = catalogue::RetentionStatus::none;
  // One sentence for people.
  std::string reason;
};

// Archived files of one timeline whose names follow each other in the index.
struct WalRun {
  std::string first;
  std::string last;
  std::uint64_t count = 0;
  std::uint64_t size_bytes = 0;
};

struct DeletionPreview {
  // delete only: nothing may be deleted, and why.
  std::optional<std::string> refusal;
  std::optional<std::string> warning;
  std::vector<BackupFate> backups;  // newest first
  std::vector<WalRun> removed_wal;  // one a timeline
  std::uint64_t kept_wal_count = 0;
  std::uint64_t kept_wal_size_bytes = 0;
  // Why WAL stays, a sentence each.
  std::vector<std::string> wal_reasons;
};

// `delete SERVER ID`. The backup must be one of the list.
DeletionPreview preview_deletion(const DeletionFacts& facts, const catalogue::BackupId& id,
                                 const wal_archive::WalLines& wal);
// What cron does for the backups of a server.
DeletionPreview preview_retention(const DeletionFacts& facts, const wal_archive::WalLines& wal);

}  // namespace barman::backup
