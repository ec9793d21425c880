#include "replication/base_backup_stream.h"

#include <gtest/gtest.h>

namespace barman::replication {
namespace {

TEST(BaseBackupCommand, UsesTheOldSyntaxBefore15) {
  EXPECT_EQ(base_backup_command({}, 140023),
            "BASE_BACKUP LABEL 'pg_basebackup base backup' PROGRESS MANIFEST 'yes' "
            "MANIFEST_CHECKSUMS 'CRC32C'");
  EXPECT_EQ(base_backup_command({.label = "it's",
                                 .checkpoint = CheckpointMode::fast,
                                 .max_rate = {.kib_per_second = 2048},
                                 .tablespace_map = TablespaceMap::yes,
                                 .archive_wait = WaitForArchive::no,
                                 .manifest_checksums = std::nullopt},
                                130000),
            "BASE_BACKUP LABEL 'it''s' PROGRESS FAST NOWAIT MAX_RATE 2048 TABLESPACE_MAP");
}

TEST(BaseBackupCommand, AsksNoManifestBefore13) {
  EXPECT_EQ(base_backup_command({.label = "l"}, 120022), "BASE_BACKUP LABEL 'l' PROGRESS");
}

TEST(BaseBackupCommand, UsesParenthesesSince15) {
  EXPECT_EQ(base_backup_command({.label = "it's"}, 150000),
            "BASE_BACKUP (LABEL 'it''s', PROGRESS, MANIFEST 'yes', MANIFEST_CHECKSUMS 'CRC32C', "
            "TARGET 'client')");
  EXPECT_EQ(base_backup_command({.label = "l",
                                 .checkpoint = CheckpointMode::fast,
                                 .max_rate = {.kib_per_second = 32},
                                 .tablespace_map = TablespaceMap::yes,
                                 .archive_wait = WaitForArchive::no,
                                 .manifest_checksums = DigestAlgorithm::sha256},
                                180004),
            "BASE_BACKUP (LABEL 'l', PROGRESS, CHECKPOINT 'fast', WAIT 0, MAX_RATE 32, "
            "TABLESPACE_MAP, MANIFEST 'yes', MANIFEST_CHECKSUMS 'SHA256', TARGET 'client')");
}

TEST(BackupArchive, KnowsInPlaceTablespaces) {
  EXPECT_TRUE((BackupArchive{.oid = 16384, .location = "pg_tblspc/16384"}.is_in_place()));
  EXPECT_FALSE((BackupArchive{.oid = 16384, .location = "/srv/t"}.is_in_place()));
  EXPECT_FALSE(BackupArchive{}.is_in_place());
}

}  // namespace
}  // namespace barman::replication
