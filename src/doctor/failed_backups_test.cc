#include "doctor/failed_backups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue/test_support.h"

namespace barman::doctor {
namespace {

using catalogue::BackupStatus;
using catalogue::make_backup;
using catalogue::make_incremental;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> ids_of(const std::vector<catalogue::BackupInfo>& backups) {
  std::vector<std::string> ids;
  for (const auto& backup : backups) ids.push_back(backup.id.value);
  return ids;
}

TEST(FailedBackups, GoWhenALaterOneIsDone) {
  const std::vector<catalogue::BackupInfo> backups = {
      make_backup("20261101T000000", "", "", BackupStatus::failed),
      make_backup("20261102T000000", "", "", BackupStatus::waiting_for_wals),
      make_backup("20261103T000000", "", "", BackupStatus::done),
      make_backup("20261104T000000", "", "", BackupStatus::failed)};
  EXPECT_THAT(ids_of(list_superseded_failures(backups, {})), ElementsAre("20261101T000000"));
}

TEST(FailedBackups, StayWhileNothingBetterIsThere) {
  const std::vector<catalogue::BackupInfo> backups = {
      make_backup("20261101T000000", "", "", BackupStatus::failed),
      make_backup("20261102T000000", "", "", BackupStatus::waiting_for_wals)};
  EXPECT_THAT(list_superseded_failures(backups, {}), IsEmpty());
}

TEST(FailedBackups, StayWhenSomethingBuildsOnThemOrSomebodyKeepsThem) {
  const std::vector<catalogue::BackupInfo> backups = {
      make_backup("20261101T000000", "", "", BackupStatus::failed),
      make_backup("20261102T000000", "", "", BackupStatus::failed),
      make_incremental("20261103T000000", "20261101T000000"),
      make_backup("20261104T000000", "", "", BackupStatus::done)};
  catalogue::Annotations annotations;
  annotations.keeps.emplace(catalogue::BackupId{"20261102T000000"}, catalogue::KeepTarget::full);
  EXPECT_THAT(list_superseded_failures(backups, annotations), IsEmpty());
}

}  // namespace
}  // namespace barman::doctor
