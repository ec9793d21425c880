#include "backup/known_digests.h"

#include <string>

#include <gtest/gtest.h>

#include "base/digest.h"
#include "base/error.h"

namespace barman::backup {
namespace {

struct stat file_status(ino_t inode, long changed_ns = 5) {
  struct stat status = {};
  status.st_dev = 3;
  status.st_ino = inode;
  status.st_size = 8192;
  status.st_mtim = {.tv_sec = 1'000'000'000, .tv_nsec = 4};
  status.st_ctim = {.tv_sec = 1'000'000'001, .tv_nsec = changed_ns};
  return status;
}

std::string digest_number(std::uint64_t number) {
  return digest_of(DigestAlgorithm::sha256, std::to_string(number));
}

TEST(KnownDigests, KnowsAFileAsLongAsNobodyTouchesIt) {
  KnownDigests digests;
  for (const ino_t inode : {7U, 5U, 6U}) digests.add(file_status(inode), digest_number(inode));
  // Read a second time.
  digests.add(file_status(6, 9), digest_number(66));
  digests.seal();
  EXPECT_EQ(digests.find(file_status(5)), digest_number(5));
  EXPECT_EQ(digests.find(file_status(6)), digest_number(6));
  EXPECT_EQ(digests.find(file_status(6, 9)), digest_number(66));
  EXPECT_EQ(digests.find(file_status(8)), std::nullopt);
  EXPECT_EQ(digests.find(file_status(5, 6)), std::nullopt);
  struct stat other = file_status(5);
  other.st_size = 8193;
  EXPECT_EQ(digests.find(other), std::nullopt);
  other = file_status(5);
  other.st_mtim.tv_nsec = 3;
  EXPECT_EQ(digests.find(other), std::nullopt);
  other = file_status(5);
  other.st_dev = 4;
  EXPECT_EQ(digests.find(other), std::nullopt);
}

TEST(KnownDigests, RefusesOtherDigests) {
  KnownDigests digests;
  EXPECT_THROW(digests.add(file_status(1), "00"), Error);
}

}  // namespace
}  // namespace barman::backup
