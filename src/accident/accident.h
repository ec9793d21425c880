// What transactions have done that somebody may want back (find-accident): relations that were
// dropped or emptied, rows that were deleted or updated in great number, databases that went.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/timestamp.h"
#include "wal/change_records.h"
#include "wal/lsn.h"

namespace barman::accident {

inline constexpr std::size_t kMaxToldRelations = 1000;

enum class AccidentKind {
  dropped,       // relations: DROP TABLE, DROP SCHEMA, DROP INDEX …
  truncated,     // relations
  rewritten,     // their files are new, nothing is lost: VACUUM FULL, CLUSTER, REINDEX, ALTER TABLE
  rows_changed,  // deleted or updated, at least as many as asked for
  database_dropped,
};

// Of one relation.
struct ChangedRelation {
  wal::FileOfRelation file;
  std::uint64_t deleted_rows = 0;
  std::uint64_t updated_rows = 0;
  // The file went with the commit.
  bool is_dropped = false;
  // As far as a catalogue knows it: schema and name, "" = not known.
  std::string name;
  // "table", "index", …; "" = not known.
  std::string kind;
  // Of its files in the backup that is restored; unset: not there, or not known.
  std::optional<std::uint64_t> size_bytes;
};

struct Accident {
  AccidentKind kind = AccidentKind::dropped;
  // Of the commit; of a database that went, the last one that was seen when the transaction did not
  // end.
  Timestamp time;
  // Recovery that ends before this record has everything still: the commit, but a database is
  // marked and its files go before it.
  wal::Lsn stop_before;
  wal::TimelineId timeline;
  std::uint32_t transaction = 0;
  // It was prepared: what is restored has it still, with all its locks, until it is rolled back.
  bool is_prepared = false;
  // Of its files; 0 = shared by all.
  std::uint32_t database = 0;
  std::string database_name;  // "" = not known
  std::uint64_t deleted_rows = 0;
  std::uint64_t updated_rows = 0;
  std::uint64_t dropped_files = 0;
  // The transaction made new files, too.
  std::uint64_t created_files = 0;
  // Of those that were truncated: the files that they have since, at most kMaxToldRelations.
  std::vector<wal::FileOfRelation> new_files;
  // No entry for the type of a table went: an index, a sequence, or a piece of a table.
  bool is_without_table = false;
  // The most important first; at most kMaxToldRelations of those that were dropped, and of others.
  std::vector<ChangedRelation> relations;
  // The newest backup from which the moment can be reached; "" = none.
  std::string backup_id;
};

}  // namespace barman::accident
