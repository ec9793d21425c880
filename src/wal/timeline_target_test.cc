#include "wal/timeline_target.h"

#include <gtest/gtest.h>

namespace barman::wal {
namespace {

TEST(TimelineTarget, IsANumberOrOneOfTwoWords) {
  for (const char* const wrong : {"", "0", "-1", "x", "Latest", "0x2", "2 ", "4294967296"}) {
    EXPECT_EQ(parse_timeline_target(wrong), std::nullopt) << wrong;
  }
  for (const char* const text : {"1", "4294967295", "current", "latest"}) {
    ASSERT_TRUE(parse_timeline_target(text)) << text;
    EXPECT_EQ(parse_timeline_target(text)->text(), text);
  }
  EXPECT_EQ(parse_timeline_target("7")->timeline, TimelineId{7});
  // PostgreSQL would read an octal number.
  EXPECT_EQ(parse_timeline_target("010")->text(), "10");
}

}  // namespace
}  // namespace barman::wal
