#include "wal/record_content.h"

#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "wal/test_support.h"

namespace barman::wal {
namespace {

// 2026-01-01 00:00:00 UTC, for PostgreSQL and for Unix.
constexpr std::int64_t kPostgresTime = 820540800LL * 1000000;
constexpr std::int64_t kUnixTime = 1767225600LL * 1000000;

template <typename T>
std::string bytes_of(T value) {
  std::string text(sizeof value, '\0');
  store(text, 0, value);
  return text;
}

std::string with_length(const std::string& data) {
  return "\xFF" + bytes_of(static_cast<std::uint8_t>(data.size())) + data;
}

RecordView view(const std::string& content, std::uint8_t manager, std::uint8_t info) {
  return {.transaction = 700, .manager = manager, .info = info, .content = as_bytes(content)};
}

TEST(RecordContent, TellsWhenATransactionEnded) {
  const std::string content = with_length(bytes_of(kPostgresTime) + "more");
  const auto commit = find_transaction_end(view(content, 1, 0x80));
  ASSERT_TRUE(commit);
  EXPECT_EQ(commit->microseconds, kUnixTime);
  EXPECT_EQ(commit->transaction, 700U);
  EXPECT_TRUE(commit->is_commit);
  const auto abort = find_transaction_end(view(content, 1, 0x20));
  ASSERT_TRUE(abort);
  EXPECT_FALSE(abort->is_commit);
  // PREPARE, ASSIGNMENT, another manager, and too short.
  EXPECT_FALSE(find_transaction_end(view(content, 1, 0x10)));
  EXPECT_FALSE(find_transaction_end(view(content, 1, 0x50)));
  EXPECT_FALSE(find_transaction_end(view(content, 10, 0x00)));
  // A time beyond what can be told, as damage writes it.
  const std::string far = with_length(bytes_of(std::numeric_limits<std::int64_t>::max() - 1));
  EXPECT_FALSE(find_transaction_end(view(far, 1, 0)));
  const std::string cut = with_length("1234567");
  EXPECT_FALSE(find_transaction_end(view(cut, 1, 0)));
}

TEST(RecordContent, FindsTablespacesThatAreCreated) {
  const std::string content =
      with_length(bytes_of(std::uint32_t{16384}) + "/srv/ts" + std::string(1, '\0'));
  const auto created = find_created_tablespace(view(content, 5, 0));
  ASSERT_TRUE(created);
  EXPECT_EQ(created->oid, 16384U);
  EXPECT_EQ(created->location, "/srv/ts");
  // DROP, another manager, in place, and too short.
  EXPECT_FALSE(find_created_tablespace(view(content, 5, 0x10)));
  EXPECT_FALSE(find_created_tablespace(view(content, 4, 0)));
  const std::string in_place = with_length(bytes_of(std::uint32_t{16384}) + std::string(1, '\0'));
  EXPECT_FALSE(find_created_tablespace(view(in_place, 5, 0)));
  EXPECT_FALSE(find_created_tablespace(view(with_length("123"), 5, 0)));
}

TEST(RecordContent, PassesOverOriginAndTopTransaction) {
  const std::string content = "\xFD" + bytes_of(std::uint16_t{3}) + "\xFC" +
                              bytes_of(std::uint32_t{600}) + "\xFE" + bytes_of(std::uint32_t{8}) +
                              bytes_of(kPostgresTime);
  EXPECT_TRUE(find_transaction_end(view(content, 1, 0)));
  EXPECT_FALSE(find_transaction_end(view("\xFD", 1, 0)));
  EXPECT_FALSE(find_transaction_end(view("", 1, 0)));
}

TEST(RecordContent, FindsWhichPreparedTransactionEnded) {
  const std::string begin = bytes_of(kPostgresTime);
  const std::string database = bytes_of(std::uint64_t{5});
  const std::string children =
      bytes_of(std::uint32_t{2}) + bytes_of(std::uint32_t{701}) + bytes_of(std::uint32_t{702});
  const std::string files = bytes_of(std::uint32_t{1}) + std::string(12, 'f');
  const std::string invalidations = bytes_of(std::uint32_t{1}) + std::string(16, 'i');
  const auto prepared = [&](std::uint32_t parts, const std::string& rest, std::uint8_t info) {
    const std::string content = with_length(begin + bytes_of(parts) + rest);
    return find_transaction_end(view(content, 1, info)).value().transaction;
  };
  const std::string xid = bytes_of(std::uint32_t{750});
  EXPECT_EQ(prepared(0x10, xid, 0xB0), 750U);
  EXPECT_EQ(prepared(0x1F, database + children + files + invalidations + xid, 0xB0), 750U);
  EXPECT_EQ(prepared(0x17, database + children + files + xid, 0xC0), 750U);
  EXPECT_FALSE(prepared(0x1F, database + children, 0xB0));
  EXPECT_FALSE(prepared(0x12, bytes_of(std::uint32_t{0xFFFFFFFF}), 0xB0));
  // With statistics: their size depends on the version.
  EXPECT_FALSE(prepared(0x110, xid, 0xB0));
}

TEST(RecordContent, ReadsRestorePoints) {
  std::string name = "before the upgrade";
  name.resize(64);
  const std::string content = with_length(bytes_of(kPostgresTime) + name);
  EXPECT_EQ(find_restore_point(view(content, 0, 0x70)), "before the upgrade");
  EXPECT_FALSE(find_restore_point(view(content, 0, 0x60)));
  const std::string cut = with_length(bytes_of(kPostgresTime) + "x");
  EXPECT_FALSE(find_restore_point(view(cut, 0, 0x70)));
}

TEST(RecordContent, ReadsTheLevel) {
  std::string change(20, '\x64');
  const std::string minimal = with_length(change + bytes_of(std::uint32_t{0}) + "12");
  const std::string replica = with_length(change + bytes_of(std::uint32_t{1}) + "12");
  EXPECT_TRUE(find_wal_level(view(minimal, 0, 0x60)).value().is_minimal);
  EXPECT_TRUE(find_wal_level(view(minimal, 0, 0x60)).value().is_change);
  EXPECT_FALSE(find_wal_level(view(replica, 0, 0x60)).value().is_minimal);
  const std::string redo = with_length(bytes_of(std::uint32_t{0}));
  EXPECT_TRUE(find_wal_level(view(redo, 0, 0xE0)).value().is_minimal);
  EXPECT_FALSE(find_wal_level(view(redo, 0, 0xE0)).value().is_change);
  EXPECT_FALSE(find_wal_level(view(minimal, 0, 0x10)));
  EXPECT_FALSE(find_wal_level(view(minimal, 1, 0x60)));
  // Before 12.
  const std::string old =
      with_length(change.substr(4) + bytes_of(std::uint32_t{1}) + std::string(4, '\0'));
  EXPECT_FALSE(find_wal_level(view(old, 0, 0x60)).value().is_minimal);
  EXPECT_FALSE(find_wal_level(view(with_length(change.substr(5)), 0, 0x60)));
}

TEST(RecordContent, IsKeptByTheChecker) {
  WalBuilder builder;
  const std::uint64_t begin = builder.next_record();
  builder.add_record(kPage - 200);
  // Over a page boundary.
  const std::string data = bytes_of(kPostgresTime) + std::string(3000, 'd');
  builder.add_record_with("\xFE" + bytes_of(static_cast<std::uint32_t>(data.size())) + data, 1, 0,
                          812);
  builder.add_record(10);
  std::string bytes = builder.bytes();
  bytes.resize(kSegment);
  std::vector<std::uint32_t> ended;
  RecordChecker checker(
      {.timeline = {1}, .begin = {begin}, .end = {builder.position()}, .segment_size = {kSegment}},
      [&](const RecordView& record) {
        EXPECT_LT(record.previous, record.begin);
        EXPECT_LT(record.begin, record.end);
        const auto end = find_transaction_end(record);
        if (end) ended.push_back(end->transaction.value_or(0));
      });
  checker.begin_segment({.timeline = {1}, .number = 1});
  checker.write(as_bytes(bytes));
  checker.end_segment();
  checker.finish();
  EXPECT_EQ(ended, std::vector<std::uint32_t>{812});
}

}  // namespace
}  // namespace barman::wal
