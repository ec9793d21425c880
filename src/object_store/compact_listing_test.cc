#include "object_store/compact_listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <fmt/format.h>

namespace barman::object_store {
namespace {

using testing::ElementsAre;

storage::ObjectFacts object(std::string key, std::uint64_t size_bytes = 0) {
  return {.key = std::move(key), .size_bytes = size_bytes};
}

std::vector<std::string> keys_of(const CompactListing& listing) {
  std::vector<std::string> keys;
  listing.visit([&](const storage::ObjectFacts& one) {
    keys.push_back(fmt::format("{}:{}", one.key, one.size_bytes));
  });
  return keys;
}

TEST(CompactListing, TellsWhatItWasTold) {
  CompactListing listing;
  EXPECT_THAT(keys_of(listing), ElementsAre());
  const std::vector<storage::ObjectFacts> all = {
      {.key = "base/1", .size_bytes = 127, .mtime_seconds = 1'800'000'000, .mtime_nanoseconds = 5},
      {.key = "base/12", .size_bytes = UINT64_MAX, .mtime_seconds = -1},
      {.key = "wals/\xc3\xa9", .size_bytes = 128}};
  for (const auto& one : all) listing.add(one);
  std::size_t at = 0;
  listing.visit([&](const storage::ObjectFacts& one) {
    EXPECT_EQ(one.key, all[at].key);
    EXPECT_EQ(one.size_bytes, all[at].size_bytes);
    EXPECT_EQ(one.mtime_seconds, all[at].mtime_seconds);
    EXPECT_EQ(one.mtime_nanoseconds, all[at].mtime_nanoseconds);
    ++at;
  });
  EXPECT_EQ(at, all.size());
}

TEST(CompactListing, SortsWhatDoesNotComeInOrderAndTellsNothingTwice) {
  CompactListing listing;
  for (const char* const key : {"b", "c", "c", "a", "c"}) listing.add(object(key));
  EXPECT_THAT(keys_of(listing), ElementsAre("a:0", "b:0", "c:0"));
  CompactListing overlapping;
  for (const char* const key : {"", "a", "a", "b"}) overlapping.add(object(key));
  EXPECT_THAT(keys_of(overlapping), ElementsAre(":0", "a:0", "b:0"));
}

TEST(CompactListing, TakesLittleMemoryForNamesThatBeginAlike) {
  CompactListing listing;
  constexpr unsigned kCount = 200'000;
  for (unsigned i = 0; i < kCount; ++i) {
    listing.add({.key = fmt::format("main/wals/00000001{:08X}/00000001{:08X}{:08X}.gz", i / 256,
                                    i / 256, i % 256),
                 .size_bytes = 3'000'000 + i,
                 .mtime_seconds = 1'800'000'000 + i});
  }
  EXPECT_LT(listing.size_bytes(), std::size_t{32} * kCount);
  unsigned count = 0;
  listing.visit([&](const storage::ObjectFacts& one) {
    EXPECT_EQ(one.size_bytes, 3'000'000 + count);
    ++count;
  });
  EXPECT_EQ(count, kCount);
}

}  // namespace
}  // namespace barman::object_store
