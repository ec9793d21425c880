#include "replication/slot.h"

#include <gtest/gtest.h>

namespace barman::replication {
namespace {

TEST(Slot, NamesAreThoseThatPostgresAccepts) {
  EXPECT_TRUE(is_valid_slot_name("barman_01"));
  EXPECT_TRUE(is_valid_slot_name(std::string(63, 'a')));
  EXPECT_FALSE(is_valid_slot_name(std::string(64, 'a')));
  for (const std::string_view name : {"", "Barman", "a-b", "a b", "a;DROP", "\xC3\xA4"})
    EXPECT_FALSE(is_valid_slot_name(name)) << name;
}

}  // namespace
}  // namespace barman::replication
