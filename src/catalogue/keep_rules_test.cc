#include "catalogue/keep_rules.h"

#include <gtest/gtest.h>

#include "catalogue/test_support.h"

namespace barman::catalogue {
namespace {

TEST(KeepRules, AdmitCompleteFullBackupsOnly) {
  EXPECT_EQ(find_keep_refusal(make_backup("20261121T014237", "", "")), std::nullopt);
  EXPECT_EQ(
      find_keep_refusal(make_backup("20261121T014237", "", "", BackupStatus::waiting_for_wals)),
      "Cannot add keep to backup 20261121T014237 because it has status WAITING_FOR_WALS. "
      "Only backups with status DONE can be kept.");
  EXPECT_EQ(find_keep_refusal(make_incremental("20261122T014237", "20261121T014237")),
            "Unable to execute the keep command on backup 20261122T014237: is an incremental "
            "backup.\nOnly full backups are eligible for the use of the keep command.");
}

}  // namespace
}  // namespace barman::catalogue
