#include "wal/wal_file_name.h"

#include <gtest/gtest.h>

namespace barman::wal {
namespace {

constexpr SegmentSize k16M{std::uint64_t{16} << 20};
constexpr SegmentSize k1M{std::uint64_t{1} << 20};

TEST(Lsn, RoundTrips) {
  EXPECT_EQ(format_lsn(*parse_lsn("16/B374D848")), "16/B374D848");
  EXPECT_EQ(format_lsn(Lsn{0xB000000}), "0/B000000");
  for (const char* text : {"", "1", "/1", "1/", "g/1", "1/123456789", "1/2/3"})
    EXPECT_FALSE(parse_lsn(text)) << text;
}

TEST(Segment, NamesFollowTheSegmentSize) {
  EXPECT_EQ(segment_name(segment_of({1}, *parse_lsn("0/9028F90"), k16M), k16M),
            "000000010000000000000009");
  EXPECT_EQ(segment_name(segment_of({1}, *parse_lsn("0/F00028"), k1M), k1M),
            "00000001000000000000000F");
  EXPECT_EQ(segment_name(segment_of({2}, *parse_lsn("1/0"), k1M), k1M), "000000020000000100000000");
  EXPECT_EQ(segment_begin(*parse_segment_name("0000000100000001000000FF", k16M), k16M),
            *parse_lsn("1/FF000000"));
  EXPECT_FALSE(parse_segment_name("000000010000000000000100", k16M));
  EXPECT_TRUE(parse_segment_name("000000010000000000000100", k1M));
}

TEST(WalFileName, KnowsTheFourKinds) {
  EXPECT_EQ(parse_wal_file_name("00000001000000000000000A")->kind, WalFileKind::segment);
  EXPECT_EQ(parse_wal_file_name("00000001000000000000000A.partial")->kind, WalFileKind::partial);
  EXPECT_EQ(parse_wal_file_name("00000001000000000000000A.00000028.backup")->kind,
            WalFileKind::backup);
  EXPECT_EQ(parse_wal_file_name("00000002.history")->timeline, TimelineId{2});
  EXPECT_EQ(parse_wal_file_name("0000000a000000000000000a")->hash_directory(), "0000000A00000000");
  for (const char* name : {"", "README", "00000001000000000000000", "00000001000000000000000G",
                           "00000001.histor", "00000001000000000000000A.tmp"}) {
    EXPECT_FALSE(parse_wal_file_name(name)) << name;
  }
}

TEST(ArchiveName, TellsDirectoriesFromHistoryFilesOfTheSameLength) {
  using Kind = ArchiveName::Kind;
  EXPECT_EQ(parse_archive_name("0000000200000001").kind, Kind::hash_directory);
  EXPECT_EQ(parse_archive_name("0000000200000001").timeline, TimelineId{2});
  EXPECT_EQ(parse_archive_name("00000002.history").kind, Kind::history);
  EXPECT_EQ(parse_archive_name("00000002.history").timeline, TimelineId{2});
  for (const char* name : {"", "xlog.db", "00000002.histor", "000000020000000", "0000000200000001a",
                           "000000020000000G", "000000020000000000000001", ".0000002.history"}) {
    EXPECT_EQ(parse_archive_name(name).kind, Kind::other) << name;
  }
}

}  // namespace
}  // namespace barman::wal
