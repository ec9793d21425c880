#include "wal_archive/wal_listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue/test_support.h"

namespace barman::wal_archive {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class WalsUntilNext : public testing::Test {
 protected:
  static std::vector<std::string> list(const catalogue::BackupInfo& backup,
                                       const std::vector<catalogue::BackupInfo>& backups) {
    return list_wals_until_next(backups, backup, [](const WalIndexVisitor& visitor) {
      for (const char* name :
           {"00000001.history", "000000010000000000000001", "000000010000000000000002",
            "000000010000000000000002.00000028.backup", "000000010000000000000003",
            "000000010000000000000004.partial", "00000002.history", "000000020000000000000004",
            "000000010000000000000005", "00000003.history", "000000010000000000000004"}) {
        if (visitor({.name = name}) == Visit::stop) return;
      }
    });
  }
};

TEST_F(WalsUntilNext, GoesToTheEndOfTheNextUsableBackup) {
  const catalogue::BackupInfo first = catalogue::make_backup(
      "20261121T000000", "000000010000000000000002", "000000010000000000000002");
  const catalogue::BackupInfo failed =
      catalogue::make_backup("20261122T000000", "000000010000000000000003",
                             "000000010000000000000003", catalogue::BackupStatus::failed);
  const catalogue::BackupInfo next = catalogue::make_backup(
      "20261123T000000", "000000010000000000000004", "000000010000000000000004");
  EXPECT_THAT(
      list(first, {first, failed, next}),
      ElementsAre("00000001.history", "000000010000000000000002", "000000010000000000000003",
                  "00000002.history", "000000010000000000000004"));
  EXPECT_THAT(list(next, {first, failed, next}),
              ElementsAre("00000001.history", "00000002.history", "000000010000000000000005",
                          "00000003.history", "000000010000000000000004"));
}

TEST_F(WalsUntilNext, IsEmptyWithoutABegin) {
  const catalogue::BackupInfo failed =
      catalogue::make_backup("20261121T000000", "", "", catalogue::BackupStatus::failed);
  EXPECT_THAT(list(failed, {failed}), IsEmpty());
}

}  // namespace
}  // namespace barman::wal_archive
