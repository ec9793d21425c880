#include "postgres/version_facts.h"

#include <gtest/gtest.h>

namespace barman::postgres {
namespace {

TEST(VersionFacts, ShowsVersionsAsTheServerDoes) {
  EXPECT_EQ(version_text(150020), "15.20");
  EXPECT_EQ(version_text(180000), "18.0");
  EXPECT_EQ(version_text(90605), "9.6.5");
  EXPECT_EQ(major_version_text(150020), "15");
  EXPECT_EQ(major_version_text(90624), "9.6");
}

TEST(VersionFacts, UsesTheOldNamesBefore10Only) {
  EXPECT_EQ(facts_for(90600).wal_directory, "pg_xlog");
  EXPECT_EQ(facts_for(90600).walfile_name_offset, "pg_xlogfile_name_offset");
  EXPECT_EQ(facts_for(100000).wal_directory, "pg_wal");
  EXPECT_EQ(facts_for(120005).wal_keep_setting, "wal_keep_segments");
  EXPECT_EQ(facts_for(130000).wal_keep_setting, "wal_keep_size");
  EXPECT_EQ(facts_for(0).switch_wal, "pg_switch_wal");
  EXPECT_EQ(facts_for(990000).switch_wal, "pg_switch_wal");
}

TEST(VersionFacts, NamesThePreviousSegmentOnABoundaryForEveryVersion) {
  const wal::SegmentSize size{1U << 20};
  const wal::Lsn boundary = *wal::parse_lsn("0/A00000");
  EXPECT_EQ(normalise_boundary(170000, "00000001000000000000000A", boundary, size),
            "000000010000000000000009");
  EXPECT_EQ(normalise_boundary(160003, "000000010000000000000009", boundary, size),
            "000000010000000000000009");
  EXPECT_EQ(normalise_boundary(170000, "00000001000000000000000A", {boundary.value + 1}, size),
            "00000001000000000000000A");
}

TEST(VersionFacts, CrossesTheLogFileOnABoundary) {
  EXPECT_EQ(normalise_boundary(180000, "000000020000000100000000", *wal::parse_lsn("1/0"), {}),
            "0000000200000000000000FF");
}

}  // namespace
}  // namespace barman::postgres
