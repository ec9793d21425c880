#include "accident/transaction_changes.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace barman::accident {
namespace {

// Removed entries that stand for tables which were there before.
bool has_removed_tables(const TransactionChanges& changes, int server_major) {
  const std::uint64_t foreign = changes.types_removed - changes.own_types_removed;
  // Until 13 a TOAST table has a type, too, and that of a table that is rewritten goes: one for the
  // two types of the transient table.
  const std::uint64_t toast = server_major < 14 ? changes.own_types_removed / 2 : 0;
  return foreign > toast;
}

}  // namespace

std::uint64_t TransactionChanges::deleted_rows() const {
  std::uint64_t sum = 0;
  for (const auto& [file, counts] : rows) sum += counts.deleted;
  return sum;
}

std::uint64_t TransactionChanges::updated_rows() const {
  std::uint64_t sum = 0;
  for (const auto& [file, counts] : rows) sum += counts.updated;
  return sum;
}

void TransactionChanges::add(TransactionChanges&& other) {
  for (const auto& [file, counts] : other.rows) {
    RowCounts& sum = rows[file];
    sum.deleted += counts.deleted;
    sum.updated += counts.updated;
  }
  created.merge(other.created);
  filled.merge(other.filled);
  with_rows.merge(other.with_rows);
  types_added.merge(other.types_added);
  types_removed += other.types_removed;
  own_types_removed += other.own_types_removed;
  if (!shared_mark) shared_mark = other.shared_mark;
  std::ranges::move(other.dropped_databases, std::back_inserter(dropped_databases));
}

AccidentKind kind_of_drop(const TransactionChanges& changes,
                          const std::vector<wal::FileOfRelation>& dropped, int server_major) {
  std::set<wal::FileOfRelation> left = changes.created;
  for (const wal::FileOfRelation& file : dropped) left.erase(file);
  if (left.empty() || has_removed_tables(changes, server_major)) return AccidentKind::dropped;
  if (changes.own_types_removed > 0) return AccidentKind::rewritten;
  const auto is_empty = [&](const wal::FileOfRelation& file) {
    return !changes.filled.contains(file) && !changes.with_rows.contains(file);
  };
  if (std::ranges::any_of(left, is_empty)) return AccidentKind::truncated;
  // Whoever rebuilds an index inserts no rows.
  const bool has_rows = std::ranges::any_of(
      left, [&](const wal::FileOfRelation& file) { return changes.with_rows.contains(file); });
  return has_rows ? AccidentKind::dropped : AccidentKind::rewritten;
}

}  // namespace barman::accident
