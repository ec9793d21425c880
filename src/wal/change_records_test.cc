#include "wal/change_records.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "wal/test_support.h"

namespace barman::wal {
namespace {

constexpr std::int64_t kNewYearOfPostgres = 820540800LL * 1000000;
constexpr std::int64_t kNewYear = 1767225600LL * 1000000;

template <typename T>
std::string raw(T value) {
  std::string text(sizeof value, '\0');
  store(text, 0, value);
  return text;
}
std::string raw_list(const std::vector<std::uint32_t>& values) {
  std::string text;
  for (const std::uint32_t value : values) text += raw(value);
  return text;
}
std::string short_data(const std::string& data) {
  return "\xFF" + raw(static_cast<std::uint8_t>(data.size())) + data;
}

RecordView record_of(const std::string& content, std::uint8_t manager, std::uint8_t info,
                     int major = 17) {
  return {.transaction = 700,
          .manager = manager,
          .info = info,
          .content = as_bytes(content),
          .content_bytes = static_cast<std::uint32_t>(content.size()),
          .server_major = major};
}

// Database, two subtransactions, one file, one item of statistics, one message, the prepared one.
std::string commit_data(std::size_t statistics_size) {
  return raw(kNewYearOfPostgres) + raw(std::uint32_t{0x11F}) + raw_list({5, 1663}) +
         raw_list({2, 701, 702}) + raw_list({1, 1663, 5, 16390}) + raw_list({1}) +
         std::string(statistics_size, 's') + raw_list({1}) + std::string(16, 'm') + raw_list({650});
}

TEST(ChangeRecords, TellWhatACommitDrops) {
  for (const auto& [major, statistics_size] : {std::pair(17, 12), std::pair(18, 16)}) {
    const std::string content = short_data(commit_data(static_cast<std::size_t>(statistics_size)));
    const auto commit = find_finished_transaction(record_of(content, 1, 0x80 | 0x30, major));
    ASSERT_TRUE(commit);
    EXPECT_TRUE(commit->is_commit);
    EXPECT_TRUE(commit->is_prepared);
    EXPECT_EQ(commit->transaction, 650U);
    EXPECT_EQ(commit->microseconds, kNewYear);
    EXPECT_EQ(commit->subtransactions, (std::vector<std::uint32_t>{701, 702}));
    ASSERT_EQ(commit->dropped.size(), 1U);
    EXPECT_EQ(commit->dropped.front(),
              (FileOfRelation{.tablespace = 1663, .database = 5, .number = 16390}));
    // An ordinary commit is that of its own transaction.
    EXPECT_EQ(find_finished_transaction(record_of(content, 1, 0x80, major))->transaction, 700U);
  }
  EXPECT_FALSE(find_finished_transaction(record_of(short_data("1234567"), 1, 0)));
  EXPECT_FALSE(find_finished_transaction(record_of(short_data(raw(kNewYearOfPostgres)), 1, 0x10)));
}

TEST(ChangeRecords, DoNotBelieveNumbersThatCannotBe) {
  const std::string content = short_data(raw(kNewYearOfPostgres) + raw(std::uint32_t{4}) +
                                         raw_list({0xFFFFFFFF, 1663, 5, 16390}));
  EXPECT_FALSE(find_finished_transaction(record_of(content, 1, 0x80)));
  // Cut where the kept content ends.
  RecordView cut = record_of(content, 1, 0x80);
  cut.content_bytes += 100;
  EXPECT_FALSE(find_finished_transaction(cut));
}

// Id, flags, length of data; the image's length, hole, bits; the hole's length when compressed.
TEST(ChangeRecords, FindTheBlockBehindAnImage) {
  const auto block_with = [](std::uint8_t bits, bool has_hole_length) {
    std::string text = std::string("\x00\x10", 2) + raw(std::uint16_t{0}) +
                       raw(std::uint16_t{100}) + raw(std::uint16_t{24}) + raw(bits);
    if (has_hole_length) text += raw(std::uint16_t{50});
    return text + raw_list({1663, 5, 16390, 7}) + short_data("xmaxNN++");
  };
  const FileOfRelation file = {.tablespace = 1663, .database = 5, .number = 16390};
  struct Form {
    int major;
    std::uint8_t bits;
    bool has_hole_length;
  };
  for (const Form& form : {Form{14, 0x01, false}, Form{14, 0x03, true}, Form{15, 0x03, false},
                           Form{15, 0x05, true}, Form{18, 0x11, true}, Form{18, 0x10, false}}) {
    const std::string content = block_with(form.bits, form.has_hole_length);
    const RecordView record = record_of(content, kHeapManager, 0x10, form.major);
    const auto block = find_changed_block(record);
    ASSERT_TRUE(block);
    EXPECT_EQ(block->relation, file) << form.major << ' ' << int{form.bits};
    EXPECT_EQ(block->number, 7U);
    EXPECT_EQ(row_change_of(record), RowChange::deleted);
    EXPECT_EQ(find_row_number(record), std::uint16_t{0x4E4E});
  }
}

// Two infomasks, where columns begin, a bitmap of nulls of one byte.
TEST(ChangeRecords, TellTheColumnsOfAnInsertedRow) {
  const std::string row = std::string("mmMM\x18", 5) + "n" + "columns";
  const std::string block = std::string("\x00\x20", 2) +
                            raw(static_cast<std::uint16_t>(row.size())) +
                            raw_list({1663, 5, 1259, 7});
  const std::string own_header = "\xFF" + raw(std::uint8_t{3});
  const std::string content = block + own_header + row + "nnf";
  const auto columns = find_inserted_columns(record_of(content, kHeapManager, 0x00));
  ASSERT_TRUE(columns);
  EXPECT_EQ(as_text(*columns), "columns");
  EXPECT_FALSE(find_inserted_columns(record_of(content, kHeapManager, 0x10))) << "a deletion";
  const std::string cut = content.substr(0, content.size() - 5);
  EXPECT_FALSE(find_inserted_columns(record_of(cut, kHeapManager, 0x00)));
  EXPECT_TRUE(find_page_image(record_of(content, kHeapManager, 0x00)).empty());
}

TEST(ChangeRecords, PutTheHoleBackIntoAnImage) {
  const auto content_with = [](std::uint8_t bits) {
    return std::string("\x00\x10", 2) + raw(std::uint16_t{0}) + raw(std::uint16_t{7}) +
           raw(std::uint16_t{4}) + raw(bits) + raw_list({1663, 5, 1259, 7}) + "headend";
  };
  const std::string content = content_with(0x01);
  const auto page = find_page_image(record_of(content, kXlogManager, 0xB0));
  ASSERT_EQ(page.size(), 8192U);
  EXPECT_EQ(as_text(Bytes(page).first(5)), std::string("head\0", 5));
  EXPECT_EQ(as_text(Bytes(page).last(3)), "end");
  const std::string compressed = content_with(0x04);
  EXPECT_TRUE(find_page_image(record_of(compressed, kXlogManager, 0xB0)).empty());
  // Its bits mean another thing before 15.
  for (const auto& [major, bits] : {std::pair(17, 0x05), std::pair(14, 0x03)}) {
    const std::string pglz = std::string("\x00\x10", 2) + raw(std::uint16_t{0}) +
                             raw(std::uint16_t{8}) + raw(std::uint16_t{4}) +
                             raw(static_cast<std::uint8_t>(bits)) +
                             raw(static_cast<std::uint16_t>(8192 - 7)) +
                             raw_list({1663, 5, 1259, 7}) + std::string("\x00headend", 8);
    EXPECT_EQ(find_page_image(record_of(pglz, kXlogManager, 0xB0, major)), page) << major;
    EXPECT_NE(find_page_image(record_of(pglz, kXlogManager, 0xB0, 31 - major)), page) << major;
  }
  EXPECT_TRUE(is_page_image(record_of(content, kXlogManager, 0xB0)));
  EXPECT_TRUE(is_hint_image(record_of(content, kXlogManager, 0xA0)));
}

TEST(ChangeRecords, TellFilesAndDatabasesThatComeAndGo) {
  const std::string storage = short_data(raw_list({1663, 5, 16390, 0}));
  EXPECT_EQ(find_created_storage(record_of(storage, kStorageManager, 0x10)),
            (FileOfRelation{.tablespace = 1663, .database = 5, .number = 16390}));
  EXPECT_FALSE(find_created_storage(record_of(storage, kStorageManager, 0x20)));

  const std::string database = short_data(raw_list({16500, 2, 1663, 16400}));
  for (const auto& [major, info] : {std::pair(14, 0x10), std::pair(15, 0x20)}) {
    const auto kind = static_cast<std::uint8_t>(info);
    const auto dropped = find_dropped_database(record_of(database, kDatabaseManager, kind, major));
    ASSERT_TRUE(dropped);
    EXPECT_EQ(dropped->oid, 16500U);
    EXPECT_EQ(dropped->tablespaces, (std::vector<std::uint32_t>{1663, 16400}));
    EXPECT_FALSE(find_created_database(record_of(database, kDatabaseManager, kind, major)));
  }
  EXPECT_TRUE(find_created_database(record_of(database, kDatabaseManager, 0x10, 15)));
  EXPECT_FALSE(find_dropped_database(record_of(database, kDatabaseManager, 0x10, 15)));
}

}  // namespace
}  // namespace barman::wal
