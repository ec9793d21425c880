#include "wal/record_checker.h"

#include <cstring>
#include <string>

#include <gtest/gtest.h>

#include "base/digest.h"
#include "base/error.h"

namespace barman::wal {
namespace {

constexpr std::uint64_t kSegment = std::uint64_t{1} << 20;
constexpr std::size_t kPage = 8192;
constexpr std::uint64_t kSystem = 7710433624940005412;

template <typename T>
void store(std::string& text, std::size_t offset, T value) {
  std::memcpy(text.data() + offset, &value, sizeof value);
}

// Writes WAL as PostgreSQL lays it out, from the beginning of segment 1.
class WalBuilder {
 public:
  std::uint64_t position() const { return kSegment + bytes_.size(); }
  // Of the next record.
  std::uint64_t next_record() {
    if (bytes_.size() % kPage == 0) add_page_header(0);
    return position();
  }

  void add_record(std::size_t payload_size, std::uint8_t manager = 10, std::uint8_t info = 0) {
    std::string record(24 + payload_size, '\0');
    for (std::size_t i = 24; i < record.size(); ++i) record[i] = static_cast<char>(i * 7 + 1);
    const std::uint64_t begin = next_record();
    store(record, 0, static_cast<std::uint32_t>(record.size()));
    store(record, 8, previous_);
    store(record, 16, info);
    store(record, 17, manager);
    const std::string_view view = record;
    std::uint32_t crc = crc32c_extend(kCrc32cInitial, as_bytes(view.substr(24)));
    crc = crc32c_finish(crc32c_extend(crc, as_bytes(view.substr(0, 20))));
    store(record, 20, crc);
    previous_ = begin;
    append(record);
    bytes_.resize((bytes_.size() + 7) & ~std::size_t{7});
  }
  void add_switch() {
    add_record(0, 0, 0x40);
    bytes_.resize((bytes_.size() + kSegment - 1) / kSegment * kSegment);
  }
  std::string& bytes() { return bytes_; }

 private:
  void append(const std::string& record) {
    std::size_t done = 0;
    while (done < record.size()) {
      if (bytes_.size() % kPage == 0) {
        add_page_header(static_cast<std::uint32_t>(record.size() - done));
      }
      const std::size_t size = std::min(record.size() - done, kPage - bytes_.size() % kPage);
      bytes_.append(record, done, size);
      done += size;
    }
  }
  void add_page_header(std::uint32_t remaining) {
    const bool is_long = bytes_.size() % kSegment == 0;
    std::string header(is_long ? 40 : 24, '\0');
    store(header, 0, std::uint16_t{0xD110});
    store(header, 2, static_cast<std::uint16_t>((remaining > 0 ? 1 : 0) | (is_long ? 2 : 0)));
    store(header, 4, std::uint32_t{1});
    store(header, 8, position());
    store(header, 16, remaining);
    if (is_long) {
      store(header, 24, kSystem);
      store(header, 32, static_cast<std::uint32_t>(kSegment));
      store(header, 36, static_cast<std::uint32_t>(kPage));
    }
    bytes_ += header;
  }

  std::string bytes_;
  std::uint64_t previous_ = 0;
};

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

TEST(RecordChecker, RefusesWhatIsShortForeignOrEmpty) {
  Wal wal = make_wal();
  EXPECT_THROW(check(wal, kSegment, 1), Error);
  Wal short_wal = wal;
  short_wal.bytes.resize(2 * kSegment - 1);
  EXPECT_EQ(failure_of(short_wal), "WAL at 0/2FFFFF: the segment is shorter than it must be");
  Wal long_wal = wal;
  long_wal.end.value = 3 * kSegment + 100;
  EXPECT_EQ(failure_of(long_wal),
            "WAL at 0/300000: the records end here, before the end of the backup");
  Wal empty = wal;
  std::memset(empty.bytes.data() + kSegment, 0, kSegment);
  EXPECT_EQ(failure_of(empty), "WAL at 0/200000: the page is empty");
}

TEST(RecordChecker, RefusesASegmentThatBelongsElsewhere) {
  Wal wal = make_wal();
  wal.bytes.replace(kSegment, kSegment, wal.bytes.substr(0, kSegment));
  EXPECT_EQ(failure_of(wal), "WAL at 0/200000: the page belongs to another place of the log");
}

}  // namespace
}  // namespace barman::wal
