#include "replication/held_wal.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace barman::replication {
namespace {

using Content = std::vector<std::byte>;

Content filled(std::size_t size, std::size_t used, int value) {
  Content content(size);
  std::fill_n(content.begin(), used, static_cast<std::byte>(value));
  return content;
}

TEST(HeldWal, EndsWithTheLastByteThatIsNoZero) {
  const StreamPosition begin{{1}, {0x100000}};
  EXPECT_FALSE(end_of_segment(begin, Content(4096)));
  const auto held = end_of_segment(begin, filled(1 << 20, 300000, 7));
  ASSERT_TRUE(held);
  EXPECT_EQ(held->end().value, 0x100000U + 300000U);
  EXPECT_EQ(held->bytes.size(), std::size_t{128} << 10);
}

TEST(HeldWal, IsFoundInTheArchiveWhenTheDirectoryHasAMarkOnly) {
  const std::filesystem::path directory = testing::TempDir() + "/no-such-directory";
  const wal::SegmentSize size{1 << 20};
  const ArchivedWal archive{.last_segment = {},
                            .content = [&](const std::string& name) -> std::optional<Content> {
                              EXPECT_EQ(name, "000000010000000000000004");
                              return filled(size.bytes, size.bytes, 7);
                            },
                            .noted_end = {},
                            .history = {}};
  const StreamPosition position{{1}, {0x500000}};
  const auto held = find_held_wal(directory, archive, position, size);
  ASSERT_TRUE(held);
  EXPECT_EQ(held->end(), position.lsn);
  EXPECT_FALSE(find_held_wal(directory, {}, position, size));
}

TEST(HeldWal, IsKnownByItsDigestWhereItsContentCannotBeHad) {
  const StreamPosition begin{{1}, {0x400000}};
  const Content segment = filled(1 << 20, 300000, 7);
  const HeldWal noted = reduce_to_digest(*end_of_segment(begin, segment));
  EXPECT_TRUE(noted.bytes.empty());
  const ArchivedWal archive{.last_segment = {},
                            .content = {},
                            .noted_end = [&](const std::string&) { return noted; },
                            .history = {}};
  const auto held = find_held_wal(testing::TempDir() + "/no-such-directory", archive,
                                  {{1}, {0x500000}}, {1 << 20});
  ASSERT_TRUE(held);
  EXPECT_EQ(held->end().value, 0x400000U + 300000U);
  Content sent = filled(std::size_t{128} << 10, std::size_t{128} << 10, 7);
  EXPECT_EQ(is_same_wal(*held, sent), std::optional(true));
  sent[5] = std::byte{8};
  EXPECT_EQ(is_same_wal(*held, sent), std::optional(false));
  sent.resize(1000);
  EXPECT_EQ(is_same_wal(*held, sent), std::nullopt);
}

TEST(SameWal, IsDecidedByWhatBothHave) {
  const Content held = filled(2048, 2048, 7);
  EXPECT_TRUE(is_same_wal(held, held));
  EXPECT_TRUE(is_same_wal(held, filled(1000, 1000, 7)));
  EXPECT_TRUE(is_same_wal(held, {}));
  Content other = held;
  other[1999] = std::byte{8};
  EXPECT_FALSE(is_same_wal(held, other));
}

TEST(SameWal, PassesOverWhatACrashHasLeftUnwritten) {
  const Content sent = filled(2048, 2048, 7);
  Content held = sent;
  std::fill_n(held.begin() + 512, 1024, std::byte{0});
  EXPECT_TRUE(is_same_wal(held, sent));
  held[2047] = std::byte{8};
  EXPECT_FALSE(is_same_wal(held, sent));
}

}  // namespace
}  // namespace barman::replication
