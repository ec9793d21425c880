#include "object_store/s3_upload.h"

#include <gtest/gtest.h>

namespace barman::object_store {
namespace {

TEST(S3Upload, HasRoomForFiveTebibytesInTenThousandParts) {
  for (const std::uint64_t mebibytes : {5U, 10U, 64U}) {
    std::uint64_t total = 0;
    std::uint64_t before = 0;
    for (unsigned number = 1; number <= 10'000; ++number) {
      const std::uint64_t size = s3_part_size(mebibytes << 20U, number);
      EXPECT_GE(size, before);
      EXPECT_LE(size, std::uint64_t{5} << 30U);
      before = size;
      total += size;
    }
    EXPECT_GE(total, std::uint64_t{5} << 40U) << mebibytes;
    EXPECT_EQ(s3_part_size(mebibytes << 20U, 1), mebibytes << 20U);
  }
}

}  // namespace
}  // namespace barman::object_store
