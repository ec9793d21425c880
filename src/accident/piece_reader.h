// Gathers what the records of a piece of the WAL say of transactions. Pieces are read in parallel
// and added up in order (history_fold.h).
//
// Memory: of a transaction that ends in the piece and does nothing of note, some 32 bytes; of what
// is of note, or does not end in it, its changes.
#pragma once

#include <cstdint>
#include <map>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "accident/transaction_changes.h"
#include "accident/wal_names.h"
#include "wal/change_records.h"
#include "wal/lsn.h"
#include "wal/record_checker.h"

namespace barman::accident {

inline constexpr std::uint32_t kNotDetailed = 0xFFFFFFFF;

// A transaction that ended in the piece.
struct TransactionEnding {
  std::uint32_t transaction = 0;
  bool is_commit = false;
  bool is_prepared = false;
  // Of `detailed`; kNotDetailed: nothing of note in this piece.
  std::uint32_t detail = kNotDetailed;
  // Of what is not detailed.
  std::uint32_t deleted_rows = 0;
  std::uint32_t updated_rows = 0;
  wal::Lsn record;
  std::int64_t microseconds = 0;
};
struct EndingDetail {
  TransactionChanges changes;
  std::vector<wal::FileOfRelation> dropped;
  std::vector<std::uint32_t> subtransactions;
};

// A copy of a database appeared in a tablespace.
struct DatabasePlace {
  std::uint32_t oid = 0;
  std::uint32_t tablespace = 0;
};

struct PieceFacts {
  // In the order of the WAL.
  std::vector<TransactionEnding> endings;
  std::vector<EndingDetail> detailed;
  // Those that did not end in the piece.
  std::unordered_map<std::uint32_t, TransactionChanges> open;
  std::vector<DatabasePlace> created_databases;
  // Of no transaction, with the time of the ending before.
  std::vector<std::pair<DatabaseDrop, std::int64_t>> lone_database_drops;
  WalNames names;
  wal::TimelineId timeline;
  int server_major = 0;
};

class PieceReader {
 public:
  // Transactions with fewer rows are not of note for that.
  explicit PieceReader(std::uint64_t min_rows) : min_rows_(min_rows) {}

  static wal::WantedContent wanted_content();
  void look_at(const wal::RecordView& record);
  // Once, when all records were looked at.
  PieceFacts take() &&;

 private:
  void look_at_heap(const wal::RecordView& record);
  void look_at_type(const wal::RecordView& record, const wal::ChangedBlock& block);
  void look_at_shared(const wal::RecordView& record, const wal::ChangedBlock& block);
  void look_at_pages(const wal::RecordView& record);
  void look_at_database(const wal::RecordView& record);
  void look_at_ending(const wal::RecordView& record);
  TransactionChanges& changes_of(std::uint32_t transaction);

  const std::uint64_t min_rows_;
  PieceFacts facts_;
  // Neighbours are often of one transaction and one relation.
  std::uint32_t last_transaction_ = 0;
  TransactionChanges* last_changes_ = nullptr;
  wal::FileOfRelation last_file_;
  RowCounts* last_counts_ = nullptr;
  // Rows of shared catalogues, by file, block and row, that were overwritten last: where, by whom.
  std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint16_t>,
           std::pair<wal::Lsn, std::uint32_t>>
      overwritten_;
};

}  // namespace barman::accident
