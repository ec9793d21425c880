#include "client/next_segments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/durable.h"
#include "base/test_support.h"

namespace barman::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint64_t k16Mib = std::uint64_t{16} << 20;

TEST(NextSegments, CrossTheEndOfALog) {
  EXPECT_EQ(next_segment_name("000000010000000000000009", k16Mib), "00000001000000000000000A");
  EXPECT_EQ(next_segment_name("0000000100000000000000FF", k16Mib), "000000010000000100000000");
  EXPECT_EQ(next_segment_name("000000010000000000000003", std::uint64_t{1} << 30),
            "000000010000000100000000");
  EXPECT_EQ(next_segment_name("00000002.history", k16Mib), std::nullopt);
  EXPECT_EQ(next_segment_name("000000010000000000000009", 4711), std::nullopt);
}

TEST(NextSegments, ReadyOnesUpToTheFirstGap) {
  const TemporaryDirectory directory;
  const std::filesystem::path status = directory.path() / "archive_status";
  make_directories(status);
  for (const char* name : {"2.ready", "3.ready", "4.done", "5.ready"}) {
    write_file_durably(status / (std::string("00000001000000000000000") + name), "");
  }
  const auto list = [&](const std::string& name, std::size_t count) {
    return list_ready_segments(directory.path() / name, k16Mib, count);
  };
  EXPECT_THAT(list("000000010000000000000001", 9),
              ElementsAre("000000010000000000000002", "000000010000000000000003"));
  EXPECT_THAT(list("000000010000000000000001", 1), ElementsAre("000000010000000000000002"));
  EXPECT_THAT(list("000000010000000000000003", 9), IsEmpty());
  EXPECT_THAT(list("00000002.history", 9), IsEmpty());
}

}  // namespace
}  // namespace barman::client
