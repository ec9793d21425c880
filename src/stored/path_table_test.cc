#include "stored/path_table.h"

#include <gtest/gtest.h>

#include <string>

namespace barman::stored {
namespace {

TEST(PathTable, FindsWhatWasAdded) {
  PathTable<int> table;
  for (int i = 0; i < 1000; ++i) table.add("base/5/" + std::to_string(i), i);
  table.seal();
  EXPECT_EQ(table.size(), 1000U);
  for (int i = 0; i < 1000; ++i) {
    const int* const value = std::as_const(table).find("base/5/" + std::to_string(i));
    ASSERT_NE(value, nullptr) << i;
    EXPECT_EQ(*value, i);
  }
  EXPECT_EQ(table.find("base/5/1000"), nullptr);
  EXPECT_EQ(table.find(""), nullptr);
  EXPECT_EQ(table.find_double(), nullptr);
  *table.find("base/5/7") = 70;
  EXPECT_EQ(*table.find("base/5/7"), 70);
}

TEST(PathTable, TellsWhatWasAddedTwice) {
  PathTable<int> table;
  EXPECT_EQ(table.find("a"), nullptr);
  table.add("a", 1);
  table.add("b", 2);
  table.add("a", 3);
  table.seal();
  ASSERT_NE(table.find_double(), nullptr);
  EXPECT_NE(*table.find_double(), 2);
}

}  // namespace
}  // namespace barman::stored
