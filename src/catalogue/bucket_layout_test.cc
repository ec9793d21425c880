#include "catalogue/bucket_layout.h"

#include <gtest/gtest.h>

namespace barman::catalogue {
namespace {

using compression::Algorithm;

const BackupId kLayoutId{"20261121T014301"};

wal::WalFileName wal_name(std::string_view name) { return *wal::parse_wal_file_name(name); }

TEST(BucketLayout, NamesTheObjectsOfABackup) {
  const BucketLayout layout("main", "path/");
  EXPECT_EQ(layout.backup_info_key(kLayoutId), "main/base/20261121T014301/backup.info");
  EXPECT_EQ(layout.keep_key(kLayoutId), "main/base/20261121T014301/annotations/keep");
  EXPECT_EQ(layout.archive_key(kLayoutId, {}), "main/base/20261121T014301/data.tar");
  EXPECT_EQ(layout.archive_key(
                kLayoutId, {.tablespace_oid = 16384, .number = 12, .compression = Algorithm::zstd}),
            "main/base/20261121T014301/16384_0012.tar.zst");
  EXPECT_EQ(layout.shown("main/wals/"), "path/main/wals/");
  EXPECT_EQ(BucketLayout("main").shown("main/wals/"), "main/wals/");
}

TEST(BucketLayout, NamesWalFiles) {
  const BucketLayout layout("main");
  EXPECT_EQ(layout.wal_key(wal_name("000000010000000200000003"), Algorithm::gzip),
            "main/wals/0000000100000002/000000010000000200000003.gz");
  EXPECT_EQ(layout.wal_key(wal_name("00000002.history"), std::nullopt),
            "main/wals/00000002.history");
  EXPECT_EQ(layout.wal_key(wal_name("000000010000000200000003.partial"), std::nullopt),
            "main/wals/0000000100000002/000000010000000200000003.partial");
  EXPECT_EQ(layout.wal_key(wal_name("00000001000000020000000a"), std::nullopt),
            "main/wals/0000000100000002/00000001000000020000000a");
}

TEST(BucketLayout, TellsToWhichBackupAKeyBelongs) {
  const BucketLayout layout("main");
  const auto object = layout.parse_backup_key("main/base/20261121T014301/annotations/keep");
  ASSERT_TRUE(object);
  EXPECT_EQ(object->id, kLayoutId);
  EXPECT_EQ(object->name, kKeepObject);
  EXPECT_FALSE(layout.parse_backup_key("main/base/notanid/data.tar"));
  EXPECT_FALSE(layout.parse_backup_key("other/base/20261121T014301/data.tar"));
}

TEST(ArchiveNames, AreReadBack) {
  for (const BucketArchiveName& name :
       {BucketArchiveName{},
        BucketArchiveName{.tablespace_oid = 4294967295, .number = 1, .compression = {}},
        BucketArchiveName{.tablespace_oid = 0, .number = 10000, .compression = Algorithm::snappy},
        BucketArchiveName{.tablespace_oid = 16384, .number = 0, .compression = Algorithm::lz4}}) {
    const auto parsed = parse_backup_archive_name(format_archive_name(name));
    ASSERT_TRUE(parsed) << format_archive_name(name);
    EXPECT_EQ(parsed->name, name);
    EXPECT_EQ(parsed->unknown_extension, "");
  }
}

TEST(ArchiveNames, TellWhatCannotBeRead) {
  EXPECT_EQ(parse_backup_archive_name("data.tar.rar")->unknown_extension, "tar.rar");
  EXPECT_EQ(parse_backup_archive_name("data.zip")->unknown_extension, "zip");
  for (const char* name : {"backup.info", "backup_label", "0.tar", "database.tar", "data_x.tar",
                           "99999999999.tar", "data", "-1.tar"}) {
    EXPECT_FALSE(parse_backup_archive_name(name)) << name;
  }
}

TEST(WalObjects, HaveAtMostOneSuffix) {
  EXPECT_EQ(parse_wal_object("main/wals/0000000100000002/000000010000000200000003.xz")->compression,
            Algorithm::xz);
  EXPECT_FALSE(parse_wal_object("000000010000000200000003")->compression);
  EXPECT_FALSE(parse_wal_object("000000010000000200000003.gz.bz2"));
  EXPECT_FALSE(parse_wal_object("000000010000000200000003.tmp"));
}

TEST(BucketLayout, NamesOfIndexesAreNoNamesOfArchives) {
  EXPECT_EQ(format_index_name({}), "index/data");
  EXPECT_EQ(
      format_index_name(
          {.tablespace_oid = 16384, .number = 3, .compression = compression::Algorithm::zstd}),
      "index/16384_0003");
  EXPECT_FALSE(parse_backup_archive_name("index/data_0001"));
  EXPECT_TRUE(is_companion_of_archives("index/data_0001"));
  EXPECT_TRUE(is_companion_of_archives("backup_manifest"));
  EXPECT_FALSE(is_companion_of_archives("notes.txt"));
}

}  // namespace
}  // namespace barman::catalogue
