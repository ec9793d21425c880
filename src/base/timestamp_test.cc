#include "base/timestamp.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <string>

#include "base/shown_time.h"
#include "base/test_zone.h"

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

class DaylightSaving : public testing::Test {
 protected:
  const LocalZone zone_{kCentralEurope};
};

TEST_F(DaylightSaving, ATimeThatComesTwiceIsTheFirstOneAndSaysSo) {
  const auto parsed = parse_timestamp("2026-10-25 02:30:00.5");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(format_iso(parsed->time), "2026-10-25 02:30:00.500000+02:00");
  ASSERT_TRUE(parsed->second_time);
  EXPECT_EQ(format_iso(*parsed->second_time), "2026-10-25 02:30:00.500000+01:00");
  for (const char* text : {"2026-10-25 01:59:59", "2026-10-25 03:00:00", "2026-07-01 02:30:00"}) {
    EXPECT_FALSE(parse_timestamp(text)->second_time) << text;
    EXPECT_FALSE(parse_timestamp(text)->is_skipped) << text;
    EXPECT_EQ(format_naive(parse_timestamp(text)->time), text);
  }
  // The same rule where summer is in winter, and the clock goes by half an hour.
  const LocalZone zone("LHST-10:30LHDT-11,M10.1.0,M4.1.0");
  const auto southern = parse_timestamp("2026-04-05 01:45:00");
  EXPECT_EQ(format_iso(southern->time), "2026-04-05 01:45:00+11:00");
  EXPECT_EQ(format_iso(*southern->second_time), "2026-04-05 01:45:00+10:30");
}

TEST_F(DaylightSaving, ATimeThatTheClockSkipsSaysSo) {
  const auto parsed = parse_timestamp("2026-03-29 02:30:00");
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->is_skipped);
  EXPECT_EQ(format_iso(parsed->time), "2026-03-29 03:30:00+02:00");
}

TEST_F(DaylightSaving, AbbreviationsOfTheHostTellWhichOneIsMeant) {
  EXPECT_EQ(reformatted("2026-10-25 02:30:00 CEST"), "2026-10-25 02:30:00+02:00");
  EXPECT_EQ(reformatted("2026-10-25 02:30:00 cet"), "2026-10-25 02:30:00+01:00");
  EXPECT_EQ(reformatted("Sun Oct 25 02:30:00 CET 2026"), "2026-10-25 02:30:00+01:00");
  EXPECT_EQ(reformatted("2026-12-24 18:00:00 CEST"), "2026-12-24 18:00:00+02:00");
  EXPECT_TRUE(parse_timestamp("2026-10-25 02:30:00 CET")->has_zone);
  EXPECT_EQ(reformatted("2026-10-25 02:30:00 EST"), "refused");
}

TEST_F(DaylightSaving, WhatIsShownIsInTheZoneOfThisHost) {
  const Timestamp time = parse_timestamp("2026-11-21 23:42:37.698576-03:00")->time;
  EXPECT_EQ(shown_time(time), "2026-11-22 03:42:37.698576+01:00");
  EXPECT_EQ(shown_second(time), "2026-11-22 03:42:37+01:00");
  EXPECT_EQ(shown_second(parse_timestamp("1969-07-20 20:17:40.5+00:00")->time),
            "1969-07-20 21:17:40+01:00");
}

TEST(FindWrongPart, NamesIt) {
  EXPECT_EQ(find_wrong_part("2026-13-01 10:00:00"), "month 13");
  EXPECT_EQ(find_wrong_part("2026-02-30 10:00:00+01"), "day 30 of month 2");
  EXPECT_EQ(find_wrong_part("2026-02-32"), "day 32");
  EXPECT_EQ(find_wrong_part("2026-02-03 25:00:00"), "hour 25");
  EXPECT_EQ(find_wrong_part("2026-02-03 5:61"), "minute 61");
  EXPECT_EQ(find_wrong_part("Nov 31 2026 1:43"), "day 31 of month 11");
  EXPECT_EQ(find_wrong_part("2026-02-03 5:31"), "");
  EXPECT_EQ(find_wrong_part("2026-02-03 5:31 XYZ"), "time zone XYZ on this host");
  EXPECT_EQ(find_wrong_part("2026-02-03 5:31 UTC"), "");
  EXPECT_EQ(find_wrong_part("yesterday"), "");
}

}  // namespace
}  // namespace barman
