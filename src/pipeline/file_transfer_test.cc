#include "pipeline/file_transfer.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>

#include <gtest/gtest.h>

#include "base/test_support.h"

namespace barman::pipeline {
namespace {

TEST(FileTransfer, GivesACopyModeAndTimesOfItsOriginal) {
  const TemporaryDirectory directory;
  const auto original = directory.path() / "original";
  const auto copy = directory.path() / "copy";
  put_file(original, "content");
  put_file(copy, "content");
  const std::array<timespec, 2> times = {timespec{.tv_sec = 1000, .tv_nsec = 7},
                                         timespec{.tv_sec = 2000, .tv_nsec = 9}};
  ASSERT_EQ(::chmod(original.c_str(), 0640), 0);
  ASSERT_EQ(::utimensat(AT_FDCWD, original.c_str(), times.data(), 0), 0);
  struct stat wanted = {};
  ASSERT_EQ(::stat(original.c_str(), &wanted), 0);
  set_mode_and_times(open_file(copy, O_WRONLY), copy, wanted);
  struct stat found = {};
  ASSERT_EQ(::stat(copy.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777U, 0640U);
  EXPECT_EQ(found.st_mtim.tv_sec, 2000);
  EXPECT_EQ(found.st_mtim.tv_nsec, 9);
}

TEST(FileTransfer, LinksWithinAFileSystem) {
  const TemporaryDirectory directory;
  const auto original = directory.path() / "original";
  const auto other = directory.path() / "other";
  put_file(original, "content");
  put_file(other, "is replaced");
  link_or_copy(open_file(original, O_RDONLY), original, other);
  struct stat a = {};
  struct stat b = {};
  ASSERT_EQ(::stat(original.c_str(), &a), 0);
  ASSERT_EQ(::stat(other.c_str(), &b), 0);
  EXPECT_EQ(a.st_ino, b.st_ino);
  EXPECT_TRUE(
      is_same_content(open_file(original, O_RDONLY), original, open_file(other, O_RDONLY), other));
}

}  // namespace
}  // namespace barman::pipeline
