#include "accident/history_fold.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "accident/piece_reader.h"

namespace barman::accident {
namespace {

constexpr wal::FileOfRelation kTable{.tablespace = 1663, .database = 5, .number = 16390};
constexpr wal::FileOfRelation kNewFile{.tablespace = 1663, .database = 5, .number = 16400};

template <typename T>
std::string little_endian(T value) {
  std::string text;
  for (std::size_t i = 0; i < sizeof value; ++i) {
    text.push_back(static_cast<char>((static_cast<std::uint64_t>(value) >> (8 * i)) & 0xFF));
  }
  return text;
}
std::string words_of(const std::vector<std::uint32_t>& values) {
  std::string text;
  for (const std::uint32_t value : values) text += little_endian(value);
  return text;
}
std::string own_data(const std::string& data) {
  return "\xFF" + little_endian(static_cast<std::uint8_t>(data.size())) + data;
}

// Writes the records of a piece into its reader.
class PieceWriter {
 public:
  explicit PieceWriter(std::uint64_t min_rows) : reader_(min_rows) {}

  void add(std::uint32_t transaction, std::uint8_t manager, std::uint8_t info,
           const std::string& content) {
    position_ += 64;
    reader_.look_at({.begin = {position_},
                     .end = {position_ + 64},
                     .previous = {position_ - 64},
                     .transaction = transaction,
                     .manager = manager,
                     .info = info,
                     .content = as_bytes(content),
                     .content_bytes = static_cast<std::uint32_t>(content.size()),
                     .server_major = 17});
  }
  void remove_rows(std::uint32_t transaction, int count, const wal::FileOfRelation& file = kTable) {
    for (int i = 0; i < count; ++i) {
      add(transaction, wal::kHeapManager, 0x10, block_of(file) + own_data("xmaxNN++"));
    }
  }
  // A row of pg_type.
  void change_type(std::uint32_t transaction, std::uint8_t info, std::uint16_t row) {
    const std::string number = little_endian(row);
    add(transaction, wal::kHeapManager, info,
        block_of({.tablespace = 1663, .database = 5, .number = 1247}) +
            own_data(info == 0x10 ? "xmax" + number + "++" : number + "+"));
  }
  void create(std::uint32_t transaction, const wal::FileOfRelation& file) {
    add(transaction, wal::kStorageManager, 0x10,
        own_data(words_of({file.tablespace, file.database, file.number, 0})));
  }
  void write_page(std::uint32_t transaction, const wal::FileOfRelation& file) {
    add(transaction, wal::kXlogManager, 0xB0, block_of(file));
  }
  void end(std::uint32_t transaction, std::uint8_t info,
           const std::vector<std::uint32_t>& children = {},
           const std::vector<wal::FileOfRelation>& dropped = {}) {
    std::string data = little_endian(time_ += 1'000'000) + words_of({0x6});
    data += words_of({static_cast<std::uint32_t>(children.size())}) + words_of(children);
    data += words_of({static_cast<std::uint32_t>(dropped.size())});
    for (const wal::FileOfRelation& file : dropped) {
      data += words_of({file.tablespace, file.database, file.number});
    }
    add(transaction, wal::kTransactionManager, info | 0x80, own_data(data));
  }
  PieceFacts take() { return std::move(reader_).take(); }

 private:
  static std::string block_of(const wal::FileOfRelation& file) {
    return std::string(4, '\0') + words_of({file.tablespace, file.database, file.number, 0});
  }

  PieceReader reader_;
  std::uint64_t position_ = 4096;
  std::int64_t time_ = 0;
};

constexpr std::uint8_t kCommitInfo = 0x00;
constexpr std::uint8_t kAbortInfo = 0x20;

std::vector<Accident> fold(std::vector<PieceFacts> pieces, std::uint64_t min_rows = 10) {
  HistoryFold sum({.min_rows = min_rows});
  for (PieceFacts& piece : pieces) sum.add(std::move(piece));
  return std::move(sum).take();
}

AccidentKind kind_in(PieceWriter& piece) {
  const std::vector<Accident> accidents = fold([&] {
    std::vector<PieceFacts> pieces;
    pieces.push_back(piece.take());
    return pieces;
  }());
  EXPECT_EQ(accidents.size(), 1U);
  return accidents.empty() ? AccidentKind::rows_changed : accidents.front().kind;
}

TEST(HistoryFold, AddsUpATransactionOfSeveralPieces) {
  PieceWriter first(10);
  first.remove_rows(700, 4);
  first.remove_rows(701, 4);
  PieceWriter second(10);
  second.remove_rows(700, 4);
  PieceWriter third(10);
  third.remove_rows(700, 4);
  third.remove_rows(702, 9);
  third.end(700, kCommitInfo);
  third.end(702, kCommitInfo);
  third.end(701, kAbortInfo);
  std::vector<PieceFacts> pieces;
  for (PieceWriter* piece : {&first, &second, &third}) pieces.push_back(piece->take());
  const std::vector<Accident> accidents = fold(std::move(pieces));
  ASSERT_EQ(accidents.size(), 1U);
  EXPECT_EQ(accidents.front().kind, AccidentKind::rows_changed);
  EXPECT_EQ(accidents.front().transaction, 700U);
  EXPECT_EQ(accidents.front().deleted_rows, 12U);
  ASSERT_EQ(accidents.front().relations.size(), 1U);
  EXPECT_EQ(accidents.front().relations.front().file, kTable);
}

TEST(HistoryFold, CountsSubtransactionsUnlessTheyWereRolledBack) {
  PieceWriter first(10);
  first.remove_rows(700, 4);
  first.remove_rows(701, 4);
  first.remove_rows(702, 100);
  first.end(702, kAbortInfo);
  PieceWriter second(10);
  second.remove_rows(703, 4);
  second.end(700, kCommitInfo, {701, 703});
  std::vector<PieceFacts> pieces;
  for (PieceWriter* piece : {&first, &second}) pieces.push_back(piece->take());
  const std::vector<Accident> accidents = fold(std::move(pieces));
  ASSERT_EQ(accidents.size(), 1U);
  EXPECT_EQ(accidents.front().deleted_rows, 12U);
}

TEST(HistoryFold, TellsDroppedFromEmptiedAndRewritten) {
  PieceWriter dropped(10);
  dropped.change_type(700, 0x10, 7);
  dropped.end(700, kCommitInfo, {}, {kTable});
  EXPECT_EQ(kind_in(dropped), AccidentKind::dropped);

  PieceWriter truncated(10);
  truncated.create(700, kNewFile);
  truncated.end(700, kCommitInfo, {}, {kTable});
  EXPECT_EQ(kind_in(truncated), AccidentKind::truncated);

  PieceWriter reindexed(10);
  reindexed.create(700, kNewFile);
  reindexed.write_page(700, kNewFile);
  reindexed.end(700, kCommitInfo, {}, {kTable});
  EXPECT_EQ(kind_in(reindexed), AccidentKind::rewritten);

  // An empty table, through a transient one.
  PieceWriter rewritten(10);
  rewritten.change_type(700, 0x00, 8);
  rewritten.create(700, kNewFile);
  rewritten.change_type(700, 0x10, 8);
  rewritten.end(700, kCommitInfo, {}, {kTable});
  EXPECT_EQ(kind_in(rewritten), AccidentKind::rewritten);

  // Dropped, and another one made.
  PieceWriter replaced(10);
  replaced.change_type(700, 0x10, 7);
  replaced.change_type(700, 0x00, 8);
  replaced.create(700, kNewFile);
  replaced.end(700, kCommitInfo, {}, {kTable});
  EXPECT_EQ(kind_in(replaced), AccidentKind::dropped);
}

TEST(HistoryFold, LeavesOutWhatATransactionHadMadeItself) {
  PieceWriter piece(10);
  piece.create(700, kNewFile);
  piece.end(700, kCommitInfo, {}, {kNewFile});
  std::vector<PieceFacts> pieces;
  pieces.push_back(piece.take());
  EXPECT_TRUE(fold(std::move(pieces)).empty());
}

}  // namespace
}  // namespace barman::accident
