// Which WAL files may go when a backup is deleted, and before the first backup of a server. The
// plan is pure; remove_planned_wal() carries it out.
//
// A plan says what stays; only names that sort before everything a remaining backup needs can go.
// It never decides by counting files, and a backup whose begin is unknown, or any backup whose
// metadata cannot be read, lets nothing be removed.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "catalogue/backup_info.h"
#include "catalogue/catalogue.h"
#include "storage/storage.h"
#include "wal/lsn.h"
#include "wal_archive/wal_index.h"

namespace barman::wal_archive {

// Both ends included.
struct SegmentRange {
  std::string begin;
  std::string end;
  friend bool operator==(const SegmentRange&, const SegmentRange&) = default;
};

struct WalRemovalPlan {
  // False: nothing is removed, for the reason given.
  bool is_removing = false;
  std::string reason;
  // The reason is a damage that somebody should mend.
  bool is_damage = false;
  // Names from here on stay. nullopt: no name stays for this cause.
  std::optional<std::string> first_needed;
  std::set<wal::TimelineId> protected_timelines;
  std::vector<SegmentRange> protected_ranges;
  // On storage that lets files go only after a time (worm_mode, locked objects): what it refuses
  // stays, with its line, and goes with a later removal.
  bool leaves_immutable = false;

  // History files and names that are none of WAL files are never removed.
  bool removes(std::string_view name) const;
};

struct WalRemovalInput {
  // All backups, the deleted one included.
  const catalogue::BackupList& list;
  catalogue::BackupId deleted;
  // Backups kept standalone: of their WAL only begin to end is needed. When a policy is enforced,
  // standalone_outside_policy().
  std::set<catalogue::BackupId> standalone;
  // An older standalone backup stops a deletion by hand from removing WAL, not one by policy.
  enum class Cause { command, retention } cause = Cause::command;
  // What stays when no newer backup is left: the WAL from the deleted one on (servers that take
  // concurrent backups), or none (passive nodes, exclusive backups).
  enum class WithoutNext {
    keep_from_deleted,
    remove_all
  } without_next = WithoutNext::keep_from_deleted;
};

WalRemovalPlan plan_wal_removal(const WalRemovalInput& input);
// WAL from before the first backup of a server. Removes nothing unless `first` is that: known by
// its begin, not failed, and no older usable backup.
WalRemovalPlan plan_first_backup_purge(const catalogue::BackupList& list,
                                       const catalogue::BackupInfo& first,
                                       const std::set<catalogue::BackupId>& standalone);

// What no backup of the list needs, whenever it should have gone: from before the oldest usable one
// that is not kept standalone.
WalRemovalPlan plan_unneeded_wal(const catalogue::BackupList& list,
                                 const std::set<catalogue::BackupId>& standalone);

// Hears of each file that is gone, in the order of the index; may be empty.
using WalRemovalObserver = std::function<void(const WalIndexEntry& entry)>;

// Removes the objects, then their lines: a crash in between leaves lines without files, which the
// next removal takes. Files that are gone already are a log message, and so are those that stay
// because they are immutable.
struct WalRemovalResult {
  // Lines that went.
  std::uint64_t count = 0;
  // Of files that are still immutable, ascending: they keep their lines.
  std::vector<std::string> left;
  // What the storage has said of them.
  std::string refusal;
};
WalRemovalResult remove_planned_wal(const WalRemovalPlan& plan, WalIndex& index,
                                    storage::Storage& storage, const WalRemovalObserver& observer);

}  // namespace barman::wal_archive
