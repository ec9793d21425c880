#include "accident/piece_reader.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "postgres/catalogue_rows.h"

namespace barman::accident {
namespace {

constexpr std::uint32_t kTypeCatalogue = 1247;
constexpr std::uint32_t kSharedTablespace = 1664;
constexpr std::uint64_t kMarkDistance = std::uint64_t{16} << 20;
// A block, and the headers in front of it.
constexpr std::size_t kRecordLimit = 9216;
// A commit that names a million files.
constexpr std::size_t kTransactionLimit = std::size_t{16} << 20;

std::uint32_t at_most_32_bits(std::uint64_t value) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::min(value, kMost));
}

}  // namespace

wal::WantedContent PieceReader::wanted_content() {
  std::uint32_t managers = 0;
  for (const std::uint8_t manager :
       {wal::kXlogManager, wal::kTransactionManager, wal::kStorageManager, wal::kDatabaseManager,
        wal::kHeap2Manager, wal::kHeapManager, wal::kHashManager, wal::kBrinManager}) {
    managers |= wal::manager_bit(manager);
  }
  return {.managers = managers,
          .limit_bytes = kRecordLimit,
          .transaction_limit_bytes = kTransactionLimit};
}

void PieceReader::look_at(const wal::RecordView& record) {
  facts_.server_major = record.server_major;
  switch (record.manager) {
    case wal::kHeapManager:
    case wal::kHeap2Manager:
      return look_at_heap(record);
    case wal::kXlogManager:
    case wal::kHashManager:
    case wal::kBrinManager:
      return look_at_pages(record);
    case wal::kStorageManager:
      if (const auto file = wal::find_created_storage(record); file && record.transaction != 0) {
        changes_of(record.transaction).created.insert(*file);
      }
      return;
    case wal::kDatabaseManager:
      return look_at_database(record);
    case wal::kTransactionManager:
      return look_at_ending(record);
    default:
      return;
  }
}

TransactionChanges& PieceReader::changes_of(std::uint32_t transaction) {
  if (last_changes_ == nullptr || last_transaction_ != transaction) {
    last_transaction_ = transaction;
    last_changes_ = &facts_.open[transaction];
    last_counts_ = nullptr;
  }
  return *last_changes_;
}

void PieceReader::look_at_heap(const wal::RecordView& record) {
  const wal::RowChange change = wal::row_change_of(record);
  const bool is_overwritten = change == wal::RowChange::overwritten;
  if (change == wal::RowChange::none || (record.transaction == 0 && !is_overwritten)) return;
  const std::optional<wal::ChangedBlock> block = wal::find_changed_block(record);
  if (!block) return;
  const wal::FileOfRelation& file = block->relation;
  if (file.number < postgres::kFirstUserNumber) facts_.names.learn(record, *block);
  if (file.tablespace == kSharedTablespace) return look_at_shared(record, *block);
  if (is_overwritten) return;
  if (file.number < postgres::kFirstUserNumber) {
    if (file.number == kTypeCatalogue) look_at_type(record, *block);
    return;
  }
  if (change == wal::RowChange::inserted) {
    const auto changes = facts_.open.find(record.transaction);
    if (changes != facts_.open.end() && changes->second.created.contains(file)) {
      changes->second.with_rows.insert(file);
    }
    return;
  }
  TransactionChanges& changes = changes_of(record.transaction);
  if (last_counts_ == nullptr || last_file_ != file) {
    last_file_ = file;
    last_counts_ = &changes.rows[file];
  }
  ++(change == wal::RowChange::deleted ? last_counts_->deleted : last_counts_->updated);
}

// DROP DATABASE overwrites the row of the database first, so that nobody connects any more, and
// deletes it then.
void PieceReader::look_at_shared(const wal::RecordView& record, const wal::ChangedBlock& block) {
  const wal::RowChange change = wal::row_change_of(record);
  const bool is_overwritten = change == wal::RowChange::overwritten;
  if (!is_overwritten && change != wal::RowChange::deleted) return;
  const std::optional<std::uint16_t> row = wal::find_row_number(record);
  if (!row) return;
  const std::tuple place(block.relation.number, block.number, *row);
  if (is_overwritten) {
    overwritten_[place] = {record.begin, record.transaction};
    return;
  }
  const auto found = overwritten_.find(place);
  if (found == overwritten_.end()) return;
  const auto& [lsn, transaction] = found->second;
  // What vacuum has overwritten long before is none; it has no transaction, as DROP may have none.
  const bool is_near = record.begin.value - lsn.value < kMarkDistance;
  if (transaction == record.transaction || (transaction == 0 && is_near)) {
    changes_of(record.transaction).shared_mark = lsn;
  }
}

void PieceReader::look_at_type(const wal::RecordView& record, const wal::ChangedBlock& block) {
  const wal::RowChange change = wal::row_change_of(record);
  if (change == wal::RowChange::updated) return;
  TransactionChanges& changes = changes_of(record.transaction);
  const std::optional<std::uint16_t> row = wal::find_row_number(record);
  const TransactionChanges::Entry entry = {block.relation.database, block.number, row.value_or(0)};
  if (change == wal::RowChange::inserted) {
    if (row) changes.types_added.insert(entry);
    return;
  }
  ++changes.types_removed;
  if (row && changes.types_added.erase(entry) > 0) ++changes.own_types_removed;
}

// Of those who build indexes, and of all who write relations as a whole.
void PieceReader::look_at_pages(const wal::RecordView& record) {
  const bool is_image = record.manager == wal::kXlogManager;
  if (is_image ? !wal::is_page_image(record) && !wal::is_hint_image(record)
               : record.transaction == 0) {
    return;
  }
  const std::optional<wal::ChangedBlock> block = wal::find_changed_block(record);
  if (!block) return;
  if (is_image && block->relation.number < postgres::kFirstUserNumber)
    facts_.names.learn(record, *block);
  if (record.transaction == 0 || wal::is_hint_image(record)) return;
  if (record.manager != wal::kXlogManager) {
    const auto changes = facts_.open.find(record.transaction);
    if (changes == facts_.open.end() || !changes->second.created.contains(block->relation)) return;
  }
  changes_of(record.transaction).filled.insert(block->relation);
}

void PieceReader::look_at_database(const wal::RecordView& record) {
  if (const auto created = wal::find_created_database(record)) {
    facts_.created_databases.push_back({.oid = created->oid, .tablespace = created->tablespace});
    return;
  }
  std::optional<wal::DroppedDatabase> dropped = wal::find_dropped_database(record);
  if (!dropped) return;
  DatabaseDrop drop = {.database = std::move(*dropped), .record = record.begin};
  if (record.transaction != 0) {
    changes_of(record.transaction).dropped_databases.push_back(std::move(drop));
  } else {
    const std::int64_t time = facts_.endings.empty() ? 0 : facts_.endings.back().microseconds;
    facts_.lone_database_drops.emplace_back(std::move(drop), time);
  }
}

void PieceReader::look_at_ending(const wal::RecordView& record) {
  std::optional<wal::FinishedTransaction> end = wal::find_finished_transaction(record);
  if (!end) return;
  TransactionChanges changes;
  const auto take = [&](std::uint32_t transaction) {
    auto found = facts_.open.extract(transaction);
    if (!found.empty()) changes.add(std::move(found.mapped()));
  };
  last_changes_ = nullptr;
  last_counts_ = nullptr;
  take(end->transaction);
  for (const std::uint32_t child : end->subtransactions) take(child);
  TransactionEnding ending = {.transaction = end->transaction,
                              .is_commit = end->is_commit,
                              .is_prepared = end->is_prepared,
                              .record = record.begin,
                              .microseconds = end->microseconds};
  const std::uint64_t rows = changes.deleted_rows() + changes.updated_rows();
  const bool is_of_note = end->is_commit && (rows >= min_rows_ || !end->dropped.empty() ||
                                             !changes.dropped_databases.empty());
  // Subtransactions may have begun before this piece.
  if (is_of_note || !end->subtransactions.empty()) {
    ending.detail = static_cast<std::uint32_t>(facts_.detailed.size());
    facts_.detailed.push_back({.changes = std::move(changes),
                               .dropped = std::move(end->dropped),
                               .subtransactions = std::move(end->subtransactions)});
  } else {
    ending.deleted_rows = at_most_32_bits(changes.deleted_rows());
    ending.updated_rows = at_most_32_bits(changes.updated_rows());
  }
  facts_.endings.push_back(ending);
}

PieceFacts PieceReader::take() && { return std::move(facts_); }

}  // namespace barman::accident
