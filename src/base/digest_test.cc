#include "base/digest.h"

#include <gtest/gtest.h>

namespace barman {
namespace {

TEST(Digest, MatchesKnownValues) {
  // CRC-32C check value 0xE3069283, printed in little-endian byte order as PostgreSQL does.
  EXPECT_EQ(digest_of(DigestAlgorithm::crc32c, "123456789"), "839206e3");
  EXPECT_EQ(digest_of(DigestAlgorithm::sha256, ""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest_of(DigestAlgorithm::none, "x"), "");
}

}  // namespace
}  // namespace barman
