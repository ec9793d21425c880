#include "base/timestamp.h"

#include <gtest/gtest.h>

namespace barman {
namespace {

std::string reformatted(std::string_view text) {
  const auto parsed = parse_timestamp(text);
  return parsed ? format_iso(parsed->time) : "refused";
}

TEST(Timestamp, KeepsItsOffset) {
  EXPECT_EQ(reformatted("2026-11-21 01:42:37.698576+00:00"), "2026-11-21 01:42:37.698576+00:00");
  EXPECT_EQ(reformatted("2026-11-21T01:42:37+05:30"), "2026-11-21 01:42:37+05:30");
  EXPECT_EQ(reformatted("2026-11-21 01:42:37-03"), "2026-11-21 01:42:37-03:00");
  EXPECT_EQ(reformatted("2026-11-21 01:42:37.5 UTC"), "2026-11-21 01:42:37.500000+00:00");
  EXPECT_EQ(reformatted("Sat, 21 Nov 2026 01:43:24 +0000"), "2026-11-21 01:43:24+00:00");
}

TEST(Timestamp, WithoutOffsetIsLocal) {
  const auto parsed = parse_timestamp("Sat Nov 21 01:43:24 2026");
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(parsed->has_zone);
  EXPECT_EQ(format_ctime(parsed->time), "Sat Nov 21 01:43:24 2026");
  EXPECT_EQ(format_compact(parse_timestamp("20261121T014237")->time), "20261121T014237");
  EXPECT_EQ(format_ctime(parse_timestamp("Nov 7 2026 1:43")->time), "Sat Nov  7 01:43:00 2026");
}

TEST(Timestamp, RefusesNonsense) {
  for (const char* text :
       {"", "foo", "2026-13-01", "2026-11-21 25:00:00", "12", "2026-11-21 01:42:37 FOO"}) {
    EXPECT_EQ(reformatted(text), "refused") << text;
  }
}

}  // namespace
}  // namespace barman
