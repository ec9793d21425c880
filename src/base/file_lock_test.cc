#include "base/file_lock.h"

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/fd.h"

namespace barman {
namespace {

TEST(FileLock, ExcludesAndNamesItsHolder) {
  const std::filesystem::path path =
      testing::TempDir() + "/file_lock_test." + std::to_string(::getpid());
  EXPECT_FALSE(FileLock::holder(path));
  {
    const auto lock = FileLock::try_lock(path);
    ASSERT_TRUE(lock);
    EXPECT_FALSE(FileLock::try_lock(path));
    EXPECT_EQ(FileLock::holder(path), ::getpid());
    EXPECT_EQ(read_file(path), std::to_string(::getpid()) + "\n");
  }
  EXPECT_FALSE(FileLock::holder(path));
  EXPECT_TRUE(FileLock::try_lock(path));
  std::filesystem::remove(path);
}

TEST(FileLock, SharedLocksKeepExclusiveOnesOut) {
  const std::filesystem::path path =
      testing::TempDir() + "/file_lock_test.shared." + std::to_string(::getpid());
  {
    const auto first = FileLock::try_lock_shared(path);
    const auto second = FileLock::try_lock_shared(path);
    EXPECT_TRUE(first);
    EXPECT_TRUE(second);
    EXPECT_FALSE(FileLock::try_lock(path));
  }
  const auto exclusive = FileLock::try_lock(path);
  EXPECT_TRUE(exclusive);
  EXPECT_FALSE(FileLock::try_lock_shared(path));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace barman
