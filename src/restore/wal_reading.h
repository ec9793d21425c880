// Reads the WAL that a recovery will replay, before anything is written, and tells where it leads:
// whether the target is in it, where it ends, and what PostgreSQL cannot or must not replay
// (docs/decisions/0014-what-wal-says.md). The rules by which PostgreSQL stops are those of its
// src/backend/access/transam/xlogrecovery.c, recoveryStopsBefore() and recoveryStopsAfter().
//
// Several workers read pieces of it; nothing behind the target is looked at. Memory: a page and a
// record's beginning for each worker.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/interrupt.h"
#include "base/progress.h"
#include "base/timestamp.h"
#include "restore/recovery_target.h"
#include "restore/restore_plan.h"
#include "wal/lsn.h"
#include "wal_archive/wal_archive.h"
#include "wal_archive/wal_coding.h"

namespace barman::restore {

struct ReadingOptions {
  std::size_t worker_count = 2;
  Progress& progress;
  const Interrupt& interrupt;
  // Of files that are none of this host.
  wal_archive::WalArchive archive = {};
};

// The server ran with wal_level = minimal from there on.
struct MinimalStretch {
  wal::Lsn begin;
  // Of the record before it: the last one that can be replayed.
  wal::Lsn last_good_record;
};

// CREATE TABLESPACE, which replay repeats: in the place that the server gave it.
struct ReplayedTablespace {
  std::uint32_t oid = 0;
  std::string location;
  wal::Lsn record;
};

struct WalReading {
  // The record at which recovery stops; unset: it is not there, or there is no target.
  std::optional<wal::Lsn> target_record;
  // The last segment that is read for it.
  std::optional<std::uint64_t> target_segment;
  // A record was found that may be the target, which cannot be told for certain.
  bool may_be_reached = false;
  // Up to the target, or in all there is.
  std::optional<MinimalStretch> minimal;
  std::vector<ReplayedTablespace> tablespaces;
  // With a target name: the last restore points of other names, each once, the newest one last.
  std::vector<std::string> restore_points;
  std::optional<Timestamp> last_transaction_end;
  std::optional<wal::Lsn> last_transaction_lsn;
  // Where the whole records end.
  wal::Lsn end;
  // Why they end there, when more files follow or the last one is complete.
  std::optional<std::string> damage;
};

// Throws what cannot be read for another reason than damage: keys that are missing, I/O errors.
WalReading read_wal(const ReplayPlan& plan, const RecoveryTarget& target,
                    const wal_archive::WalCoding& coding, const ReadingOptions& options);

// What the plan is worth then. Throws when the target is not reached or WAL cannot be replayed, and
// nothing more may come; adds warnings to the plan, and takes files out of it that a target LSN
// does not need. Pure.
void judge_wal(const WalReading& reading, const RecoveryTarget& target, RestorePlan& plan);

}  // namespace barman::restore
