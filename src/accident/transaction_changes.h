// What one transaction has changed, gathered from its records, and what it makes of it.
//
// A commit names the files that it drops, not why. What tells: a table has an entry in pg_type, as
// a view has; TRUNCATE and all that rewrites a table leave it, and DROP removes it. What rewrites a
// table makes another one of a transient name, whose entry it adds and removes itself. TRUNCATE
// leaves a new file without a page, a rebuilt index has one at least.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

#include "accident/accident.h"
#include "wal/change_records.h"
#include "wal/lsn.h"

namespace barman::accident {

struct RowCounts {
  std::uint64_t deleted = 0;
  std::uint64_t updated = 0;
};

struct DatabaseDrop {
  wal::DroppedDatabase database;
  wal::Lsn record;
};

// Plain values that add up: of subtransactions, and of pieces of the WAL.
struct TransactionChanges {
  std::map<wal::FileOfRelation, RowCounts> rows;
  std::set<wal::FileOfRelation> created;
  // Relations with pages that were written as a whole, and with rows that were inserted after they
  // were created here.
  std::set<wal::FileOfRelation> filled;
  std::set<wal::FileOfRelation> with_rows;
  // Entries of pg_type by database, block and row.
  using Entry = std::tuple<std::uint32_t, std::uint32_t, std::uint16_t>;
  std::set<Entry> types_added;
  std::uint64_t types_removed = 0;
  // Of those, added by the same transaction.
  std::uint64_t own_types_removed = 0;
  std::vector<DatabaseDrop> dropped_databases;
  // Where a row of a shared catalogue that it deletes was overwritten just before: the database is
  // marked as one that is being dropped.
  std::optional<wal::Lsn> shared_mark;

  std::uint64_t deleted_rows() const;
  std::uint64_t updated_rows() const;
  void add(TransactionChanges&& other);
};

// What a commit that drops `dropped` amounts to. `server_major`: 13 keeps types of TOAST tables.
AccidentKind kind_of_drop(const TransactionChanges& changes,
                          const std::vector<wal::FileOfRelation>& dropped, int server_major);

}  // namespace barman::accident
