#include "catalogue/deletion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue/backup_size.h"
#include "catalogue/test_support.h"

namespace barman::catalogue {
namespace {

const std::vector<BackupInfo> kBackups = {
    make_backup("20261101T000000", "", ""),
    make_incremental("20261102T000000", "20261101T000000"),
    make_incremental("20261103T000000", "20261102T000000"),
    make_backup("20261104T000000", "", "", BackupStatus::failed),
};

TEST(Deletion, RefusesAKeptBackup) {
  const Annotations annotations = {.keeps = {{kBackups[0].id, KeepTarget::full}}};
  const DeletionPlan plan = plan_deletion(kBackups, kBackups[0], annotations, 0, "main");
  EXPECT_EQ(plan.refusal,
            "Skipping delete of backup 20261101T000000 for server main as it has a current keep "
            "request. If you really want to delete this backup please remove the keep and try "
            "again.");
  EXPECT_TRUE(plan.order.empty());
}

TEST(Deletion, RefusesBelowMinimumRedundancy) {
  EXPECT_EQ(plan_deletion(kBackups, kBackups[0], {}, 1, "main").refusal,
            "Skipping delete of backup 20261101T000000 for server main due to minimum redundancy "
            "requirements (minimum redundancy = 1, current redundancy = 1)");
  EXPECT_EQ(plan_deletion(kBackups, kBackups[3], {}, 1, "main").refusal, std::nullopt);
  EXPECT_EQ(plan_deletion(kBackups, kBackups[1], {}, 1, "main").refusal, std::nullopt);
}

TEST(Deletion, TakesTheTreeLeavesFirst) {
  const DeletionPlan plan = plan_deletion(kBackups, kBackups[0], {}, 0, "main");
  EXPECT_EQ(plan.warning,
            "Backup 20261101T000000 has incremental backups which depend on it. Deleting all "
            "backups in the tree");
  EXPECT_THAT(plan.order, testing::ElementsAre(kBackups[2].id, kBackups[1].id, kBackups[0].id));
  const DeletionPlan leaf = plan_deletion(kBackups, kBackups[2], {}, 0, "main");
  EXPECT_EQ(leaf.warning, std::nullopt);
  EXPECT_THAT(leaf.order, testing::ElementsAre(kBackups[2].id));
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

TEST(BackupSize, RatioComparesWithTheClusterOrTheBackup) {
  BackupInfo info;
  EXPECT_EQ(deduplication_ratio(info), 0);
  info.size = 200;
  info.cluster_size = 400;
  info.deduplicated_size = 100;
  EXPECT_DOUBLE_EQ(deduplication_ratio(info), 0.75);
  info.mode = "rsync-concurrent";
  EXPECT_DOUBLE_EQ(deduplication_ratio(info), 0.5);
}

}  // namespace
}  // namespace barman::catalogue
