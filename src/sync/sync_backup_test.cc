#include "sync/sync_backup.h"

#include <gtest/gtest.h>

#include "catalogue/test_support.h"

namespace barman::sync {
namespace {

using catalogue::BackupInfo;
using catalogue::BackupStatus;
using catalogue::make_backup;
using catalogue::make_incremental;

const std::string kOld = "20260101T000000";
const std::string kNew = "20260102T000000";

BackupInfo backup(const std::string& id, BackupStatus status = BackupStatus::done) {
  return make_backup(id, "000000010000000000000002", "000000010000000000000003", status);
}

SyncVerdict judge(const std::string& id, const std::vector<BackupInfo>& there,
                  const std::vector<BackupInfo>& here,
                  const catalogue::RetentionInput* policy = nullptr) {
  PrimaryInfo primary;
  primary.backups = there;
  return judge_backup({id}, primary, here, policy);
}

TEST(JudgeBackup, CopiesWhatIsNotCompleteHere) {
  EXPECT_EQ(judge(kOld, {backup(kOld)}, {}), SyncVerdict::copy);
  for (const BackupStatus status : {BackupStatus::syncing, BackupStatus::failed}) {
    EXPECT_EQ(judge(kOld, {backup(kOld)}, {backup(kOld, status)}), SyncVerdict::copy);
    EXPECT_EQ(judge(kOld, {}, {backup(kOld, status)}), SyncVerdict::purge);
  }
  EXPECT_EQ(judge(kOld, {backup(kOld)}, {backup(kOld)}), SyncVerdict::synced);
  EXPECT_EQ(judge(kOld, {backup(kOld)}, {backup(kOld, BackupStatus::waiting_for_wals)}),
            SyncVerdict::synced);
  EXPECT_EQ(judge(kOld, {}, {backup(kOld)}), SyncVerdict::local_only);
  EXPECT_EQ(judge(kOld, {}, {}), SyncVerdict::absent);
}

TEST(LocalBackups, OnlyCopiesThatNobodyCanCompleteAreLeftOver) {
  PrimaryInfo primary;
  const LocalBackups local = {.backups = {backup(kOld, BackupStatus::syncing)}};
  EXPECT_FALSE(local.is_left_over(local.backups.front(), primary));
  primary.backups = {backup(kNew)};
  EXPECT_TRUE(local.is_left_over(local.backups.front(), primary));
  primary.backups = {backup(kOld), backup(kNew)};
  EXPECT_FALSE(local.is_left_over(local.backups.front(), primary));
  primary.backups = {backup(kNew)};
  // Of the time before this node was passive.
  LocalBackups failed = {.backups = {backup(kOld, BackupStatus::failed)}};
  EXPECT_FALSE(failed.is_left_over(failed.backups.front(), primary));
  failed.backups.front().error = "failure syncing server main backup 20260101T000000: gone";
  EXPECT_TRUE(failed.is_left_over(failed.backups.front(), primary));
  const LocalBackups complete = {.backups = {backup(kOld)}};
  EXPECT_FALSE(complete.is_left_over(complete.backups.front(), primary));
}

TEST(JudgeBackup, LeavesWhatThePolicyWouldDelete) {
  const catalogue::RetentionInput policy = {.rule = {.count = 1}};
  EXPECT_EQ(judge(kOld, {backup(kOld), backup(kNew)}, {backup(kNew)}, &policy),
            SyncVerdict::obsolete);
  EXPECT_EQ(judge(kNew, {backup(kOld), backup(kNew)}, {backup(kOld)}, &policy), SyncVerdict::copy);
}

TEST(JudgeBackup, AnIncrementalNeedsItsParentOnThePrimary) {
  const BackupInfo child = make_incremental(kNew, kOld);
  EXPECT_EQ(judge(kNew, {child}, {}), SyncVerdict::orphan);
  EXPECT_EQ(judge(kNew, {backup(kOld), child}, {backup(kOld)}), SyncVerdict::copy);
}

// The policy has deleted a full backup and its incrementals; the primary has them still.
TEST(JudgeBackup, AnIncrementalGoesTheWayOfItsChain) {
  const std::string middle = "20260101T120000";
  const std::string late = "20260101T180000";
  const std::vector<BackupInfo> there = {backup(kOld), make_incremental(middle, kOld),
                                         make_incremental(late, middle), backup(kNew)};
  const catalogue::RetentionInput policy = {.rule = {.count = 1}};
  for (const std::string& id : {kOld, middle, late}) {
    EXPECT_EQ(judge(id, there, {backup(kNew)}, &policy), SyncVerdict::obsolete) << id;
    EXPECT_EQ(judge(id, there, {}, &policy), SyncVerdict::copy) << id;
    EXPECT_EQ(judge(id, there, {backup(kNew)}), SyncVerdict::copy) << id;
  }
  // The chain ends further up.
  EXPECT_EQ(judge(late, {there[1], there[2], there[3]}, {backup(kNew)}), SyncVerdict::orphan);
}

}  // namespace
}  // namespace barman::sync
