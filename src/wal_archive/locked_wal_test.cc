#include "wal_archive/locked_wal.h"

#include <gtest/gtest.h>

#include "base/test_support.h"

namespace barman::wal_archive {
namespace {

TEST(LockedWalNote, IsReadAsItWasWritten) {
  const TemporaryDirectory directory;
  EXPECT_FALSE(find_locked_wal(directory.path()));
  note_locked_wal(directory.path(), LockedWal{.count = 3,
                                              .first = "000000010000000000000002",
                                              .until = {.microseconds = 1'800'000'000'500'000}});
  const auto found = find_locked_wal(directory.path());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->count, 3U);
  EXPECT_EQ(found->first, "000000010000000000000002");
  EXPECT_EQ(found->until.microseconds, 1'800'000'001'000'000) << "not before the time is over";
  note_locked_wal(directory.path(), std::nullopt);
  EXPECT_FALSE(find_locked_wal(directory.path()));
  note_locked_wal(directory.path(), std::nullopt);
}

TEST(LockedWalNote, ThatCannotBeReadIsNone) {
  const TemporaryDirectory directory;
  for (const char* const text : {"", "x y z", "0 a 1", "1 a -1", "1 a 99999999999999999999"}) {
    put_file(directory.path() / ".locked-wal", text);
    EXPECT_FALSE(find_locked_wal(directory.path())) << text;
  }
  note_locked_wal(directory.path() / "missing", LockedWal{.count = 1, .first = "a"});
}

}  // namespace
}  // namespace barman::wal_archive
