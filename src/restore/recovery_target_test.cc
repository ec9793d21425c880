#include "restore/recovery_target.h"

#include <gtest/gtest.h>

namespace barman::restore {
namespace {

TEST(RecoveryTarget, NeedsWalUpToTheEndOfTheBackupOnlyWhenImmediate) {
  catalogue::BackupInfo backup;
  backup.end_wal = "000000010000000000000003";
  RecoveryTarget immediate;
  immediate.immediate = true;
  EXPECT_EQ(last_number_needed(immediate, backup), 3U);
  RecoveryTarget lsn;
  lsn.lsn = wal::Lsn{0x5000001};
  EXPECT_EQ(last_number_needed(lsn, backup), std::nullopt);
  EXPECT_EQ(last_number_needed({}, backup), std::nullopt);
}

}  // namespace
}  // namespace barman::restore
