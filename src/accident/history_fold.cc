#include "accident/history_fold.h"

#include <algorithm>
#include <iterator>
#include <map>

namespace barman::accident {
namespace {

void add_relations(const TransactionChanges& changes,
                   const std::vector<wal::FileOfRelation>& dropped, Accident& accident) {
  std::map<wal::FileOfRelation, ChangedRelation> relations;
  for (const wal::FileOfRelation& file : dropped) {
    // What it had made itself.
    if (changes.created.contains(file)) continue;
    if (relations.size() >= kMaxToldRelations) break;
    ChangedRelation& relation = relations[file];
    relation.file = file;
    relation.is_dropped = true;
  }
  for (const auto& [file, counts] : changes.rows) {
    auto found = relations.find(file);
    if (found == relations.end()) {
      if (relations.size() >= 2 * kMaxToldRelations) break;
      found = relations.emplace(file, ChangedRelation{.file = file}).first;
    }
    found->second.deleted_rows = counts.deleted;
    found->second.updated_rows = counts.updated;
  }
  for (auto& [file, relation] : relations) accident.relations.push_back(std::move(relation));
  std::ranges::stable_sort(
      accident.relations, [](const ChangedRelation& a, const ChangedRelation& b) {
        if (a.is_dropped != b.is_dropped) return a.is_dropped;
        return a.deleted_rows + a.updated_rows > b.deleted_rows + b.updated_rows;
      });
  if (!accident.relations.empty()) accident.database = accident.relations.front().file.database;
}

}  // namespace

void HistoryFold::add(PieceFacts&& piece) {
  timeline_ = piece.timeline;
  server_major_ = piece.server_major;
  names_.add(std::move(piece.names));
  for (const DatabasePlace& place : piece.created_databases) {
    created_databases_.emplace(place.oid, place.tablespace);
  }
  for (const TransactionEnding& ending : piece.endings) {
    last_time_ = ending.microseconds;
    if (ending.detail == kNotDetailed && !open_.contains(ending.transaction)) continue;
    end_transaction(ending, piece);
  }
  for (const auto& [drop, microseconds] : piece.lone_database_drops) {
    const std::int64_t time = microseconds != 0 ? microseconds : last_time_;
    if (!is_asked_for(time)) continue;
    judge_database(drop, {},
                   {.kind = AccidentKind::database_dropped, .time = {.microseconds = time}});
  }
  for (auto& [transaction, changes] : piece.open) open_[transaction].add(std::move(changes));
}

void HistoryFold::end_transaction(const TransactionEnding& ending, PieceFacts& piece) {
  TransactionChanges changes;
  const auto take = [&](std::uint32_t transaction) {
    auto found = open_.extract(transaction);
    if (!found.empty()) changes.add(std::move(found.mapped()));
  };
  take(ending.transaction);
  if (ending.detail == kNotDetailed) {
    RowCounts& counts = changes.rows[{}];
    counts.deleted += ending.deleted_rows;
    counts.updated += ending.updated_rows;
    if (ending.is_commit) judge(ending, changes, {});
    return;
  }
  EndingDetail& detail = piece.detailed[ending.detail];
  for (const std::uint32_t child : detail.subtransactions) take(child);
  changes.add(std::move(detail.changes));
  if (ending.is_commit) judge(ending, changes, detail.dropped);
}

bool HistoryFold::is_asked_for(std::int64_t microseconds) const {
  return (!filter_.from || filter_.from->microseconds <= microseconds) &&
         (!filter_.to || microseconds <= filter_.to->microseconds);
}

void HistoryFold::judge(const TransactionEnding& ending, TransactionChanges& changes,
                        const std::vector<wal::FileOfRelation>& dropped) {
  if (!is_asked_for(ending.microseconds)) return;
  const Accident common = {.time = {.microseconds = ending.microseconds},
                           .stop_before = ending.record,
                           .timeline = timeline_,
                           .transaction = ending.transaction,
                           .is_prepared = ending.is_prepared,
                           .deleted_rows = changes.deleted_rows(),
                           .updated_rows = changes.updated_rows()};
  for (const DatabaseDrop& drop : changes.dropped_databases)
    judge_database(drop, changes.shared_mark, common);
  changes.rows.erase(wal::FileOfRelation{});
  bool is_told = false;
  if (!dropped.empty()) {
    Accident accident = common;
    accident.kind = kind_of_drop(changes, dropped, server_major_);
    accident.is_without_table = changes.types_removed == changes.own_types_removed;
    accident.created_files = changes.created.size();
    add_relations(changes, dropped, accident);
    if (accident.kind == AccidentKind::truncated) {
      std::ranges::copy_if(changes.created, std::back_inserter(accident.new_files),
                           [&](const wal::FileOfRelation&) {
                             return accident.new_files.size() < kMaxToldRelations;
                           });
    }
    accident.dropped_files = static_cast<std::uint64_t>(std::ranges::count_if(
        dropped, [&](const wal::FileOfRelation& file) { return !changes.created.contains(file); }));
    // A relation that the transaction had made itself is no loss.
    if (accident.dropped_files > 0) {
      is_told = accident.kind != AccidentKind::rewritten;
      accidents_.push_back(std::move(accident));
    }
  }
  if (is_told || common.deleted_rows + common.updated_rows < filter_.min_rows) return;
  Accident accident = common;
  accident.kind = AccidentKind::rows_changed;
  add_relations(changes, {}, accident);
  if (!accident.relations.empty()) accidents_.push_back(std::move(accident));
}

void HistoryFold::judge_database(const DatabaseDrop& drop, const std::optional<wal::Lsn>& mark,
                                 Accident accident) {
  if (is_moved(drop.database)) return;
  accident.kind = AccidentKind::database_dropped;
  accident.stop_before = mark && *mark < drop.record ? *mark : drop.record;
  accident.timeline = timeline_;
  accident.database = drop.database.oid;
  accident.deleted_rows = 0;
  accident.updated_rows = 0;
  accidents_.push_back(std::move(accident));
}

// ALTER DATABASE … SET TABLESPACE copies it, and drops what was elsewhere.
bool HistoryFold::is_moved(const wal::DroppedDatabase& database) const {
  return std::ranges::any_of(created_databases_, [&](const auto& place) {
    return place.first == database.oid &&
           std::ranges::find(database.tablespaces, place.second) == database.tablespaces.end();
  });
}

std::vector<Accident> HistoryFold::take() && {
  // The server ended before the transaction did; the files are gone.
  for (const auto& [transaction, changes] : open_) {
    if (!is_asked_for(last_time_)) continue;
    for (const DatabaseDrop& drop : changes.dropped_databases) {
      judge_database(drop, changes.shared_mark,
                     {.time = {.microseconds = last_time_}, .transaction = transaction});
    }
  }
  std::ranges::stable_sort(accidents_, {}, &Accident::stop_before);
  return std::move(accidents_);
}

}  // namespace barman::accident
