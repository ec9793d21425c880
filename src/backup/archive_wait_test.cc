#include "backup/archive_wait.h"

#include <gtest/gtest.h>

namespace barman::backup {
namespace {

constexpr const char* kWal = "0000000200000001000000A5";

TEST(ArchiveWait, EndsWithTheSegmentOrALaterOne) {
  EXPECT_TRUE(is_archived_by(kWal, kWal));
  EXPECT_TRUE(is_archived_by("0000000200000001000000A5.00000028.backup", kWal));
  EXPECT_TRUE(is_archived_by("0000000200000001000000A6", kWal));
  EXPECT_TRUE(is_archived_by("000000030000000000000001", kWal));
}

TEST(ArchiveWait, GoesOnBeforeItAndAfterOtherFiles) {
  EXPECT_FALSE(is_archived_by("", kWal));
  EXPECT_FALSE(is_archived_by("0000000200000001000000A4", kWal));
  EXPECT_FALSE(is_archived_by("0000000200000001000000A4.00000028.backup", kWal));
  EXPECT_FALSE(is_archived_by("00000003.history", kWal));
}

}  // namespace
}  // namespace barman::backup
