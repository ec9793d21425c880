#include "postgres/catalogue_rows.h"

#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace barman::postgres {
namespace {

template <typename T>
void put(std::string& text, std::size_t offset, T value) {
  std::memcpy(text.data() + offset, &value, sizeof value);
}

// A page with one row, whose columns begin 24 bytes behind its header.
std::string page_with(const std::string& columns, std::uint32_t xmax = 0) {
  std::string page(8192, '\0');
  const auto size = static_cast<std::uint32_t>(24 + columns.size());
  const std::uint32_t begin = 8192 - size;
  put(page, 12, std::uint16_t{28});
  put(page, 24, begin | (1U << 15) | (size << 17));
  put(page, begin + 4, xmax);
  put(page, begin + 22, std::uint8_t{24});
  page.replace(begin + 24, columns.size(), columns);
  return page;
}

std::string class_columns(std::size_t kind_offset) {
  std::string columns(kind_offset + 1, '\0');
  put(columns, 0, std::uint32_t{16390});
  columns.replace(4, 6, "orders");
  put(columns, 68, std::uint32_t{2200});
  put(columns, 88, std::uint32_t{16555});
  columns[kind_offset] = 'r';
  return columns;
}

TEST(CatalogueRows, TellFilesOfRelations) {
  for (const auto& [major, kind_offset] : {std::pair(17, 115), std::pair(18, 119)}) {
    std::vector<ClassRow> rows;
    const std::string page = page_with(class_columns(static_cast<std::size_t>(kind_offset)));
    visit_class_rows(as_bytes(page), major, [&](const ClassRow& row) { rows.push_back(row); });
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows.front().common.oid, 16390U);
    EXPECT_EQ(rows.front().common.name, "orders");
    EXPECT_TRUE(rows.front().common.is_latest);
    EXPECT_EQ(rows.front().schema_oid, 2200U);
    EXPECT_EQ(rows.front().file_number, 16555U);
    EXPECT_EQ(rows.front().kind, 'r');
  }
}

TEST(CatalogueRows, AreNotReadWhereTheyCannotBe) {
  std::vector<NamedRow> rows;
  const auto keep = [&](const NamedRow& row) { rows.push_back(row); };
  std::string page = page_with(std::string(68, 'x'), 700);
  visit_named_rows(as_bytes(page), keep);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_FALSE(rows.front().is_latest);
  rows.clear();
  visit_named_rows(as_bytes(page_with(std::string(67, 'x'))), keep);
  // Behind the page, and a page that is cut.
  put(page, 24, std::uint32_t{8190} | (1U << 15) | (100U << 17));
  visit_named_rows(as_bytes(page), keep);
  visit_named_rows(as_bytes(page).first(100), keep);
  visit_named_rows(as_bytes(std::string(8192, '\xFF')), keep);
  EXPECT_TRUE(rows.empty());
}

TEST(CatalogueRows, FindMappedCatalogues) {
  std::string map(512, '\0');
  put(map, 0, std::uint32_t{0x592717});
  put(map, 4, std::uint32_t{1});
  put(map, 8, std::uint32_t{1259});
  put(map, 12, std::uint32_t{16700});
  EXPECT_EQ(parse_file_map(as_bytes(map)).at(1259), 16700U);
  put(map, 4, std::uint32_t{0xFFFFFFFF});
  EXPECT_EQ(parse_file_map(as_bytes(map)).at(1259), 16700U);
  EXPECT_TRUE(parse_file_map(as_bytes(map.substr(0, 4))).empty());
}

}  // namespace
}  // namespace barman::postgres
