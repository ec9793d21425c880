#include "base/digest.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "base/test_support.h"

namespace barman {
namespace {

TEST(Digest, MatchesKnownValues) {
  // CRC-32C check value 0xE3069283, printed in little-endian byte order as PostgreSQL does.
  EXPECT_EQ(digest_of(DigestAlgorithm::crc32c, "123456789"), "839206e3");
  EXPECT_EQ(digest_of(DigestAlgorithm::sha256, ""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest_of(DigestAlgorithm::none, "x"), "");
}

TEST(Digest, OfAFileCountsAllOfIt) {
  const TemporaryDirectory directory;
  const std::filesystem::path path = directory.path() / "file";
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{262143}, std::size_t{262144}, std::size_t{600000}}) {
    put_file(path, std::string(size, 'x'));
    const Fd file = open_file(path, O_RDONLY);
    EXPECT_EQ(digest_of_file(DigestAlgorithm::sha256, file, path),
              digest_of(DigestAlgorithm::sha256, std::string(size, 'x')));
  }
}

}  // namespace
}  // namespace barman
