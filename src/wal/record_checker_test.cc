#include "wal/record_checker.h"

#include <algorithm>
#include <cstring>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "wal/test_support.h"

namespace barman::wal {
namespace {

struct Wal {
  std::string bytes;  // whole segments from segment 1 on
  Lsn begin;
  Lsn end;
  std::uint64_t record_count = 0;
};

// Records of many sizes over two segments; the first ones are before the range.
Wal make_wal() {
  WalBuilder builder;
  Wal wal;
  builder.add_record(100);
  builder.add_record(9000);
  wal.begin = {builder.next_record()};
  for (std::size_t i = 0; i < 300; ++i) {
    builder.add_record(i * 37 % 3000);
    ++wal.record_count;
  }
  builder.add_record(3 * kPage);
  builder.add_switch();
  builder.add_record(kPage);
  builder.add_record(17);
  wal.record_count += 4;
  wal.end = {builder.position()};
  builder.add_switch();
  wal.bytes = builder.bytes();
  return wal;
}

std::uint64_t check(const Wal& wal, std::size_t piece, std::uint64_t system = kSystem) {
  RecordChecker checker({.timeline = {1},
                         .begin = wal.begin,
                         .end = wal.end,
                         .segment_size = {kSegment},
                         .system_id = system});
  for (std::size_t i = 0; i * kSegment < wal.bytes.size(); ++i) {
    const std::string_view segment = std::string_view(wal.bytes).substr(i * kSegment, kSegment);
    checker.begin_segment({.timeline = {1}, .number = i + 1});
    for (std::size_t at = 0; at < segment.size(); at += piece) {
      checker.write(as_bytes(segment.substr(at, piece)));
    }
    checker.end_segment();
  }
  checker.finish();
  return checker.record_count();
}

std::string failure_of(const Wal& wal) {
  try {
    check(wal, kSegment);
    return "none";
  } catch (const Error& error) {
    return error.message();
  }
}

TEST(RecordChecker, FollowsRecordsOverPagesAndSegments) {
  const Wal wal = make_wal();
  ASSERT_EQ(wal.bytes.size(), 2 * kSegment);
  for (const std::size_t piece : {std::size_t{1000}, kPage, std::size_t{100000}}) {
    EXPECT_EQ(check(wal, piece), wal.record_count) << piece;
  }
}

TEST(RecordChecker, FindsEachFlippedBitInTheRange) {
  const Wal good = make_wal();
  const std::size_t first = good.begin.value - kSegment + 20;
  for (std::size_t at = first; at < std::size_t{500000}; at += 4099) {
    Wal bad = good;
    bad.bytes[at] = static_cast<char>(bad.bytes[at] ^ 4);
    // Padding between records is covered by no checksum.
    if (failure_of(bad) == "none") {
      EXPECT_EQ(good.bytes[at], '\0') << at;
    }
  }
}

TEST(RecordChecker, LooksAtNothingOutsideOfTheRange) {
  Wal wal = make_wal();
  wal.bytes[60] = 'x';
  wal.bytes[2 * kSegment - 1] = 'x';
  EXPECT_EQ(failure_of(wal), "none");
}

TEST(RecordChecker, BeginsInTheMiddleOfARecordAndEndsWhereTheServerEnded) {
  const Wal wal = make_wal();
  const auto check_second = [&](const std::string& bytes, LastRecord last) {
    RecordChecker checker({.timeline = {1},
                           .begin = {2 * kSegment},
                           .end = {3 * kSegment},
                           .segment_size = {kSegment},
                           .system_id = kSystem,
                           .first_record = FirstRecord::anywhere,
                           .last_record = last});
    checker.begin_segment({.timeline = {1}, .number = 2});
    checker.write(as_bytes(std::string_view(bytes).substr(kSegment)));
    checker.end_segment();
    EXPECT_TRUE(checker.is_done());
    EXPECT_FALSE(checker.is_seeking());
    return checker.record_count();
  };
  // Two records and the switch.
  EXPECT_EQ(check_second(wal.bytes, LastRecord::at_the_end), 3U);
  // Without the switch.
  std::string stopped = wal.bytes;
  std::fill(stopped.begin() + static_cast<std::ptrdiff_t>(wal.end.value - kSegment), stopped.end(),
            '\0');
  EXPECT_EQ(check_second(stopped, LastRecord::anywhere), 2U);
  EXPECT_THROW(check_second(stopped, LastRecord::at_the_end), Error);
  std::string damaged = wal.bytes;
  damaged[kSegment + 5000] = static_cast<char>(damaged[kSegment + 5000] ^ 1);
  EXPECT_THROW(check_second(damaged, LastRecord::anywhere), Error);
}

// Segment 2 of a timeline that the next one left in it.
class LeftTimeline : public ::testing::Test {
 protected:
  LeftTimeline() {
    while (builder_.position() < 2 * kSegment - 1000) builder_.add_record(500);
    builder_.add_record(4 * kPage);
    for (int i = 0; i < 20; ++i) builder_.add_record(700);
    end_ = builder_.next_record();
    builder_.add_record(5 * kPage);
    behind_ = builder_.position();
    bytes_ = builder_.bytes();
    bytes_.resize(2 * kSegment);
  }

  std::size_t offset(std::uint64_t position) const { return position - kSegment; }
  // What a recycled file has left.
  void recycle_from(std::uint64_t position) {
    for (std::size_t at = offset(position); at < bytes_.size(); ++at) {
      bytes_[at] = bytes_[at - kSegment / 2];
    }
  }
  std::string verdict(std::uint64_t timeline_end) const {
    try {
      RecordChecker checker({.timeline = {1},
                             .begin = {2 * kSegment},
                             .end = {3 * kSegment},
                             .segment_size = {kSegment},
                             .first_record = FirstRecord::anywhere,
                             .last_record = LastRecord::anywhere,
                             .timeline_end = Lsn{timeline_end}});
      checker.begin_segment({.timeline = {1}, .number = 2});
      checker.write(as_bytes(std::string_view(bytes_).substr(kSegment)));
      checker.end_segment();
      return fmt::format("{} records", checker.record_count());
    } catch (const Error& error) {
      return error.message();
    }
  }

  WalBuilder builder_;
  std::string bytes_;
  std::uint64_t end_ = 0;
  std::uint64_t behind_ = 0;
};

TEST_F(LeftTimeline, MayEndInTheMiddleOfARecordOrInOldContent) {
  EXPECT_EQ(verdict(end_), "21 records");
  recycle_from(end_ + kPage + 100);
  EXPECT_EQ(verdict(end_), "20 records");
  std::fill(bytes_.begin() + static_cast<std::ptrdiff_t>(offset(end_ + 100)), bytes_.end(), '\0');
  EXPECT_EQ(verdict(end_), "20 records");
  recycle_from(end_);
  EXPECT_EQ(verdict(end_), "20 records");
}

TEST_F(LeftTimeline, IsDamagedBeforeItsEnd) {
  recycle_from(end_ + 100);
  std::string good = bytes_;
  bytes_[offset(end_) - 300] ^= 1;
  EXPECT_NE(verdict(end_).find("the record has a wrong checksum"), std::string::npos);
  bytes_ = good;
  // It was left later, or in another segment.
  EXPECT_NE(verdict(behind_).find("WAL at"), std::string::npos);
  EXPECT_NE(verdict(kSegment + 100).find("WAL at"), std::string::npos);
}

TEST_F(LeftTimeline, MustComeSoFar) {
  std::fill(bytes_.begin() + static_cast<std::ptrdiff_t>(offset(end_)), bytes_.end(), '\0');
  EXPECT_EQ(verdict(end_), "20 records");
  EXPECT_EQ(verdict(behind_),
            fmt::format("WAL at {}: the records end here, but a later timeline begins at {}",
                        format_lsn({end_}), format_lsn({behind_})));
}

TEST(RecordChecker, PassesOverTheRestOfARecord) {
  WalBuilder builder;
  while (builder.position() < 2 * kSegment - 1000) builder.add_record(500);
  builder.add_record(4 * kPage);
  builder.add_record(17);
  builder.add_switch();
  const std::string bytes = builder.bytes();
  RecordChecker checker({.timeline = {1},
                         .begin = {2 * kSegment},
                         .end = {3 * kSegment},
                         .segment_size = {kSegment},
                         .first_record = FirstRecord::anywhere});
  checker.begin_segment({.timeline = {1}, .number = 2});
  checker.write(as_bytes(std::string_view(bytes).substr(kSegment)));
  checker.end_segment();
  EXPECT_TRUE(checker.is_done());
  EXPECT_EQ(checker.record_count(), 2U);
}

TEST(RecordChecker, RefusesWhatIsShortForeignOrEmpty) {
  Wal wal = make_wal();
  EXPECT_THROW(check(wal, kSegment, 1), Error);
  Wal short_wal = wal;
  short_wal.bytes.resize(2 * kSegment - 1);
  EXPECT_EQ(failure_of(short_wal), "WAL at 0/2FFFFF: the segment is shorter than it must be");
  Wal long_wal = wal;
  long_wal.end.value = 3 * kSegment + 100;
  EXPECT_EQ(failure_of(long_wal), "WAL at 0/300000: the records end here, too early");
  Wal empty = wal;
  std::memset(empty.bytes.data() + kSegment, 0, kSegment);
  EXPECT_EQ(failure_of(empty), "WAL at 0/200000: the page is empty");
}

// xlogreader.c: where PostgreSQL's reader stops, recovery ends without a word.
TEST(RecordChecker, KeepsTheRulesForPageHeaders) {
  const Wal good = make_wal();
  const std::size_t page = 3 * kPage;
  const auto with = [&](std::size_t offset, char value) {
    Wal bad = good;
    bad.bytes[page + offset] = value;
    return failure_of(bad);
  };
  const std::string at = fmt::format("WAL at {}: ", format_lsn({kSegment + page}));
  const char flags = good.bytes[page + 2];
  EXPECT_EQ(with(2, static_cast<char>(flags | 0x10)),
            at + "the page header has unknown flags (0011)");
  EXPECT_EQ(with(3, '\x80'), at + "the page header has unknown flags (8001)");
  // That full-page images may be left out.
  EXPECT_EQ(with(2, static_cast<char>(flags | 0x04)), "none");
  EXPECT_EQ(with(4, '\0'), at + "the page belongs to timeline 0, and the one before it to 1");
  EXPECT_EQ(with(4, '\2'), at + "the page belongs to a later timeline");
}

TEST(RecordChecker, RefusesToContinueWhatIsNotUnfinished) {
  WalBuilder builder;
  const std::uint64_t begin = builder.next_record();
  // It fills the first page.
  builder.add_record(kPage - 40 - 24);
  builder.add_record(100);
  Wal wal = {.bytes = builder.bytes(), .begin = {begin}, .end = {builder.position()}};
  wal.bytes.resize(kSegment);
  EXPECT_EQ(failure_of(wal), "none");
  wal.bytes[kPage + 2] = 1;
  store(wal.bytes, kPage + 16, std::uint32_t{8});
  EXPECT_EQ(failure_of(wal),
            "WAL at 0/102000: the page continues a record, but none is unfinished");
}

TEST(RecordChecker, LooksAtTheHeaderOfTheSegmentAlthoughTheRangeBeginsLater) {
  Wal wal = make_wal();
  ASSERT_GT(wal.begin.value, kSegment + kPage);
  wal.bytes[24] ^= 1;
  EXPECT_THAT(failure_of(wal), testing::HasSubstr("the segment is of another cluster"));
}

TEST(RecordChecker, RefusesRecordsOfUnknownManagersAndVersions) {
  WalBuilder builder;
  const std::uint64_t begin = builder.next_record();
  builder.add_record(100, 22);
  Wal wal = {.bytes = builder.bytes(), .begin = {begin}, .end = {builder.position()}};
  wal.bytes.resize(kSegment);
  EXPECT_EQ(failure_of(wal), "WAL at 0/100028: the record has an unknown resource manager (22)");
  RecordChecker checker({.timeline = {1},
                         .begin = wal.begin,
                         .end = wal.end,
                         .segment_size = {kSegment},
                         .server_major = 17});
  checker.begin_segment({.timeline = {1}, .number = 1});
  EXPECT_THROW(checker.write(as_bytes(wal.bytes)), Error);
}

TEST(RecordChecker, KnowsWhichRecordWasLeftUnfinished) {
  const auto verdict = [](std::uint64_t difference) {
    WalBuilder builder;
    Wal wal;
    wal.begin = {builder.next_record()};
    builder.add_record(100);
    const std::uint64_t unfinished = builder.next_record();
    // The server crashes when it has written the first of two pages of a record.
    WalBuilder torn = builder;
    torn.add_record(2 * kPage);
    std::string payload(18, '\0');
    payload[0] = '\xFF';
    payload[1] = 16;
    store(payload, 2, unfinished + difference);
    const std::size_t size = builder.bytes().size();
    builder.bytes() += torn.bytes().substr(size, kPage - size);
    builder.next_record();
    store(builder.bytes(), kPage + 2, std::uint16_t{8});
    builder.add_record_with(payload, 0, 0xD0);
    wal.end = {builder.position()};
    wal.bytes = builder.bytes();
    wal.bytes.resize(kSegment);
    return failure_of(wal);
  };
  EXPECT_EQ(verdict(0), "none");
  EXPECT_THAT(verdict(8), testing::HasSubstr("replaces another one"));
}

TEST(RecordChecker, RefusesASegmentThatBelongsElsewhere) {
  Wal wal = make_wal();
  wal.bytes.replace(kSegment, kSegment, wal.bytes.substr(0, kSegment));
  EXPECT_EQ(failure_of(wal), "WAL at 0/200000: the page belongs to another place of the log");
}

}  // namespace
}  // namespace barman::wal
