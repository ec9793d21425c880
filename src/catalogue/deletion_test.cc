#include "catalogue/deletion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue/backup_size.h"
#include "catalogue/test_support.h"

namespace barman::catalogue {
namespace {

const BackupList kList = {.backups =
                              {
                                  make_backup("20261101T000000", "", ""),
                                  make_incremental("20261102T000000", "20261101T000000"),
                                  make_incremental("20261103T000000", "20261102T000000"),
                                  make_backup("20261104T000000", "", "", BackupStatus::failed),
                              },
                          .broken = {}};
const std::vector<BackupInfo>& kBackups = kList.backups;

TEST(PlanDeletion, RefusesAKeptBackup) {
  const Annotations annotations = {.keeps = {{kBackups[0].id, KeepTarget::full}}};
  const DeletionPlan plan = plan_deletion(kList, kBackups[0], annotations, 0, "main");
  EXPECT_EQ(plan.refusal,
            "Skipping delete of backup 20261101T000000 for server main as it has a current keep "
            "request. If you really want to delete this backup please remove the keep and try "
            "again.\nHINT: barman keep --release main 20261101T000000");
  EXPECT_TRUE(plan.order.empty());
}

TEST(PlanDeletion, RefusesBelowMinimumRedundancy) {
  EXPECT_EQ(plan_deletion(kList, kBackups[0], {}, 1, "main").refusal,
            "Skipping delete of backup 20261101T000000 for server main due to minimum redundancy "
            "requirements (minimum redundancy = 1, current redundancy = 1)");
  EXPECT_EQ(plan_deletion(kList, kBackups[3], {}, 1, "main").refusal, std::nullopt);
  EXPECT_EQ(plan_deletion(kList, kBackups[1], {}, 1, "main").refusal, std::nullopt);
}

TEST(PlanDeletion, TakesTheTreeLeavesFirst) {
  const DeletionPlan plan = plan_deletion(kList, kBackups[0], {}, 0, "main");
  EXPECT_EQ(plan.warning,
            "Backup 20261101T000000 has incremental backups which depend on it. Deleting all "
            "backups in the tree");
  EXPECT_THAT(plan.order, testing::ElementsAre(kBackups[2].id, kBackups[1].id, kBackups[0].id));
  const DeletionPlan leaf = plan_deletion(kList, kBackups[2], {}, 0, "main");
  EXPECT_EQ(leaf.warning, std::nullopt);
  EXPECT_THAT(leaf.order, testing::ElementsAre(kBackups[2].id));
}

// With the one the other may lose what it needs, or what tells that it is there.
TEST(PlanDeletion, RefusesARelativeOfWhatCannotBeRead) {
  BackupList list = kList;
  list.backups.erase(list.backups.begin());
  list.broken = {{.id = kBackups[0].id, .path = "/meta/x", .reason = "it is empty"}};
  for (const BackupInfo& backup : {kBackups[1], kBackups[2]}) {
    EXPECT_EQ(
        plan_deletion(list, backup, {}, 0, "main").refusal,
        "Skipping delete of backup " + backup.id.value +
            " for server main as the metadata of backup 20261101T000000, which is of the same "
            "tree, cannot be read: it is empty. Repair \"/meta/x\", or restore it from a copy, "
            "and try again.");
  }
  EXPECT_EQ(plan_deletion(list, kBackups[3], {}, 0, "main").refusal, std::nullopt);

  list = kList;
  list.backups.erase(list.backups.begin() + 1, list.backups.begin() + 3);
  list.backups[0].children_backup_ids = {kBackups[1].id};
  list.broken = {{.id = kBackups[1].id, .path = "/meta/x", .reason = "it is empty"}};
  EXPECT_NE(plan_deletion(list, list.backups[0], {}, 0, "main").refusal, std::nullopt);
}

// A deletion that has begun, files that are gone: the number of backups must not lie.
TEST(PlanDeletion, DoesNotCountABackupThatNobodyCanRestore) {
  BackupList list = kList;
  list.backups.push_back(make_backup("20261105T000000", "", ""));
  const BackupInfo& good = list.backups.front();
  const BackupInfo& other = list.backups.back();
  EXPECT_EQ(plan_deletion(list, good, {}, 1, "main").refusal, std::nullopt);
  const Annotations being_deleted = {.being_deleted = {other.id}};
  EXPECT_NE(plan_deletion(list, good, being_deleted, 1, "main").refusal, std::nullopt);
  const Annotations orphan = {.directories = std::set<BackupId>{good.id}};
  EXPECT_NE(plan_deletion(list, good, orphan, 1, "main").refusal, std::nullopt);
  EXPECT_EQ(plan_deletion(list, other, orphan, 1, "main").refusal, std::nullopt);
}

TEST(PlanDeletion, RefusesWhereAKeepMayBe) {
  const Annotations annotations = {.unreadable = {{kBackups[2].id, "\"base/x\" cannot be read"}}};
  EXPECT_THAT(plan_deletion(kList, kBackups[0], annotations, 0, "main").refusal.value_or(""),
              testing::HasSubstr("\"base/x\" cannot be read"));
}

TEST(BackupSize, SumsRegularFilesAndThoseNotShared) {
  const TemporaryDirectory directory;
  const auto root = directory.path() / "b";
  put_file(root / "data/base/1/1259", "12345");
  put_file(root / "data/PG_VERSION", "15\n");
  put_file(root / "16384/PG_15/x", "1234567");
  put_file(directory.path() / "other", "0123456789");
  std::filesystem::create_hard_link(directory.path() / "other", root / "data/shared");
  std::filesystem::create_directories(root / "data/pg_tblspc");
  std::filesystem::create_symlink(directory.path() / "other", root / "data/pg_tblspc/16384");
  for (const SyncFiles sync : {SyncFiles::no, SyncFiles::yes}) {
    const BackupSize size = measure_backup(root, sync);
    EXPECT_EQ(size.size_bytes, 25);
    EXPECT_EQ(size.deduplicated_bytes, 15);
  }
  EXPECT_EQ(measure_backup(directory.path() / "absent", SyncFiles::no).size_bytes, 0);
}

}  // namespace
}  // namespace barman::catalogue
