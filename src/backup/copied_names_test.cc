#include "backup/copied_names.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/test_support.h"

namespace barman::backup {
namespace {

TEST(CopiedNames, AreThoseOfData) {
  for (const char* path : {"PG_VERSION",
                           "base",
                           "base/5",
                           "base/5/1259",
                           "base/5/1259_fsm",
                           "base/5/1259.1",
                           "global/pg_filenode.map",
                           "pg_wal",
                           "pg_xact/0000",
                           "pg_stat/pgstat.stat",
                           "log",
                           "pg_tblspc/16384/PG_17_202406281/5/1",
                           "postgresql.conf",
                           "postgresql.auto.conf",
                           "pg_replslot",
                           "notes/pg_wal/kept",
                           "notes/log/kept",
                           "notes/pg_replslot",
                           "notes/my_pg_notify/kept",
                           "notes/backup_label",
                           "base/5/t_1",
                           "base/5/txt",
                           "notes/t1_2",
                           "base/pg_control"}) {
    EXPECT_TRUE(is_copied_from_data_directory(path)) << path;
  }
}

TEST(CopiedNames, AreNotThoseOfTheRunningServerNorOfOtherBackups) {
  for (const char* path : {"pg_wal/000000010000000000000001",
                           "pg_wal/archive_status",
                           "log/postgresql.log",
                           "pg_log/x",
                           "pg_replslot/barman",
                           "pg_replslot/barman/state",
                           "pg_stat_tmp/global.stat",
                           "notes/pg_stat_tmp/global.stat",
                           "notes/old/pg_replslot/slot/state",
                           "pg_subtrans/0000",
                           "pg_notify/0000",
                           "pg_serial/0",
                           "pg_snapshots/x",
                           "pg_dynshmem/mmap.1",
                           "global/pg_control",
                           "backup_manifest",
                           "backup_label",
                           "tablespace_map",
                           "postmaster.pid",
                           "postmaster.opts",
                           "standby.signal",
                           "recovery.conf",
                           "postgresql.auto.conf.tmp",
                           "current_logfiles.tmp",
                           "global/pg_internal.init",
                           "base/5/pg_internal.init",
                           "base/pgsql_tmp",
                           "base/5/t3_16384",
                           "base/5/t3_16384_fsm"}) {
    EXPECT_FALSE(is_copied_from_data_directory(path)) << path;
  }
}

TEST(CopiedNames, OfATablespaceAreInTheDirectoryOfTheVersion) {
  EXPECT_TRUE(is_copied_from_tablespace("PG_17_202406281", "17"));
  EXPECT_TRUE(is_copied_from_tablespace("PG_17_202406281/5/16385", "17"));
  EXPECT_TRUE(is_copied_from_tablespace("PG_9.6_201608131/5/16385", "9.6"));
  EXPECT_FALSE(is_copied_from_tablespace("PG_17_202406281/pgsql_tmp", "17"));
  EXPECT_FALSE(is_copied_from_tablespace("PG_17_202406281/5/t3_1", "17"));
  EXPECT_FALSE(is_copied_from_tablespace("PG_16_202307071/5/16385", "17"));
  EXPECT_FALSE(is_copied_from_tablespace("PG_1", "17"));
  EXPECT_FALSE(is_copied_from_tablespace("lost+found", "17"));
}

TEST(CopiedNames, AreWithoutTablespacesThatLieInTheDataDirectory) {
  const TemporaryDirectory directory;
  const auto data = directory.path() / "data";
  std::filesystem::create_directories(data / "in place");
  std::filesystem::create_directory_symlink(data, directory.path() / "link");
  const std::vector<catalogue::Tablespace> tablespaces = {
      {.name = "a", .oid = 1, .location = (data / "in place").string()},
      {.name = "b", .oid = 2, .location = (directory.path() / "link" / "linked").string()},
      {.name = "c", .oid = 3, .location = data.string() + "base"}};
  const auto elsewhere = list_tablespaces_inside(data, tablespaces, FilesLie::elsewhere);
  EXPECT_EQ(elsewhere, (std::vector<std::string>{"in place"}));
  EXPECT_EQ(list_tablespaces_inside(data, tablespaces, FilesLie::here),
            (std::vector<std::string>{"in place", "linked"}));
  const auto is_copied = copied_from_data_directory(elsewhere);
  EXPECT_FALSE(is_copied("in place"));
  EXPECT_TRUE(is_copied("in"));
  EXPECT_FALSE(is_copied("postmaster.pid"));
}

}  // namespace
}  // namespace barman::backup
