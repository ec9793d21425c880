#include "archive/wal_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace barman::archive {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kFirst = "000000010000000000000001";
constexpr const char* kSecond = "000000010000000000000002";
constexpr const char* kThird = "000000010000000000000003";
constexpr std::uint64_t kSegmentBytes = 16 << 20;

ReceivedFile partial(const char* segment, std::uint64_t size_bytes = kSegmentBytes) {
  return {.name = std::string(segment) + ".partial", .size_bytes = size_bytes};
}

TEST(WalBatch, IncomingTakesEveryWalFileInOrder) {
  const WalBatch batch = choose_batch(
      WalSource::incoming,
      {{.name = kSecond}, {.name = "00000002.history"}, partial(kThird), {.name = kFirst}}, 0);
  EXPECT_THAT(batch.files,
              ElementsAre(kFirst, kSecond, std::string(kThird) + ".partial", "00000002.history"));
  EXPECT_FALSE(batch.is_limited());
  EXPECT_THAT(batch.unknown, IsEmpty());
}

TEST(WalBatch, OtherNamesAndDirectoriesAreUnknown) {
  const WalBatch batch = choose_batch(
      WalSource::incoming,
      {{.name = "README"}, {.name = kFirst, .is_regular = false}, {.name = kSecond}}, 1);
  EXPECT_THAT(batch.unknown, ElementsAre(kFirst, "README"));
  EXPECT_THAT(batch.files, ElementsAre(kSecond));
  EXPECT_FALSE(batch.is_limited());
}

TEST(WalBatch, LimitCountsWhatCanBeArchived) {
  const WalBatch batch =
      choose_batch(WalSource::streaming, {{.name = kFirst}, {.name = kSecond}, partial(kThird)}, 1);
  EXPECT_THAT(batch.files, ElementsAre(kFirst));
  EXPECT_EQ(batch.waiting, 2U);
  EXPECT_TRUE(batch.is_limited());
}

TEST(WalBatch, NewestPartialStaysAndOlderOnesGo) {
  const WalBatch batch =
      choose_batch(WalSource::streaming, {partial(kFirst), {.name = kSecond}, partial(kThird)}, 0);
  EXPECT_THAT(batch.files, ElementsAre(std::string(kFirst) + ".partial", kSecond));
  EXPECT_FALSE(batch.is_limited());
}

TEST(WalBatch, OlderEmptyPartialIsAMarkerOnly) {
  const WalBatch batch =
      choose_batch(WalSource::streaming, {partial(kFirst, 0), partial(kThird, 0)}, 0);
  EXPECT_THAT(batch.files, IsEmpty());
  EXPECT_THAT(batch.empty_partials, ElementsAre(std::string(kFirst) + ".partial"));
}

// A server that is on timeline 1 again: what is received now stays as well, whatever its name is.
TEST(WalBatch, WhatIsReceivedOnAnEarlierTimelineStays) {
  const std::string later = "000000020000000000000009";
  const WalBatch batch =
      choose_batch(WalSource::streaming,
                   {partial(kFirst), {.name = kSecond}, partial(kThird), partial(later.c_str())}, 0,
                   wal::TimelineId{1});
  EXPECT_THAT(batch.files, ElementsAre(std::string(kFirst) + ".partial", kSecond));
  const WalBatch marker = choose_batch(
      WalSource::streaming, {partial(kThird, 0), partial(later.c_str())}, 0, wal::TimelineId{1});
  EXPECT_THAT(marker.files, IsEmpty());
  EXPECT_THAT(marker.empty_partials, IsEmpty());
}

// After a promotion the old one goes, also when the receiver has not noted it.
TEST(WalBatch, WhatWasReceivedBeforeAPromotionGoes) {
  const std::string later = "000000020000000000000003";
  for (const std::uint32_t receiving : {2U, 3U}) {
    const WalBatch batch =
        choose_batch(WalSource::streaming, {partial(kThird), partial(later.c_str())}, 0,
                     wal::TimelineId{receiving});
    EXPECT_THAT(batch.files, ElementsAre(std::string(kThird) + ".partial"));
  }
}

TEST(WalBatch, WithoutPartialTheNewestSegmentStays) {
  const WalBatch batch = choose_batch(
      WalSource::streaming, {{.name = kFirst}, {.name = kSecond}, {.name = "00000002.history"}}, 0);
  EXPECT_THAT(batch.files, ElementsAre(kFirst, "00000002.history"));
}

}  // namespace
}  // namespace barman::archive
