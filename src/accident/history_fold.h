// Adds up what the pieces of the WAL say, in their order: transactions that reach over several
// pieces, and what all of it amounts to.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "accident/accident.h"
#include "accident/piece_reader.h"

namespace barman::accident {

struct AccidentFilter {
  // Of the end of a transaction, both included; unset: no limit.
  std::optional<Timestamp> from;
  std::optional<Timestamp> to;
  // Deleted and updated by one transaction.
  std::uint64_t min_rows = 0;
};

class HistoryFold {
 public:
  explicit HistoryFold(const AccidentFilter& filter) : filter_(filter) {}

  void add(PieceFacts&& piece);
  // In the order of the WAL. Once, behind the last piece.
  std::vector<Accident> take() &&;
  // What all pieces have told.
  WalNames take_names() && { return std::move(names_); }

 private:
  void end_transaction(const TransactionEnding& ending, PieceFacts& piece);
  void judge(const TransactionEnding& ending, TransactionChanges& changes,
             const std::vector<wal::FileOfRelation>& dropped);
  void judge_database(const DatabaseDrop& drop, const std::optional<wal::Lsn>& mark,
                      Accident accident);
  bool is_moved(const wal::DroppedDatabase& database) const;
  bool is_asked_for(std::int64_t microseconds) const;

  const AccidentFilter filter_;
  std::unordered_map<std::uint32_t, TransactionChanges> open_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> created_databases_;
  std::int64_t last_time_ = 0;
  wal::TimelineId timeline_;
  int server_major_ = 0;
  WalNames names_;
  std::vector<Accident> accidents_;
};

}  // namespace barman::accident
