#include "catalogue/backup_objects.h"

#include <gtest/gtest.h>

#include "catalogue/test_support.h"

namespace barman::catalogue {
namespace {

BackupObjects with_archives(const std::vector<std::string>& names,
                            std::vector<std::string> others = {}) {
  BackupObjects objects;
  objects.other_names = std::move(others);
  for (const std::string& name : names) {
    objects.archives.push_back({.name = parse_backup_archive_name(name)->name, .key = name});
  }
  return objects;
}

TEST(BackupObjects, ArchivesAreNumberedWithoutAGap) {
  EXPECT_EQ(find_archive_problem(with_archives({"data.tar"}), 0, ""), "");
  EXPECT_EQ(find_archive_problem(with_archives({"data.tar.gz", "data_0001.tar.gz"}), 0, ""), "");
  EXPECT_EQ(find_archive_problem(with_archives({}), 0, "main/base/ID/"),
            "lacks the archive \"main/base/ID/data.tar\"");
  EXPECT_EQ(find_archive_problem(with_archives({"data.tar", "data_0002.tar"}), 0, ""),
            "lacks the archive \"data_0001.tar\"");
  EXPECT_EQ(find_archive_problem(with_archives({"data_0001.tar"}), 0, ""),
            "lacks the archive \"data.tar\"");
  EXPECT_EQ(find_archive_problem(with_archives({"data.tar", "data.tar.gz"}), 0, ""),
            "has two forms of the archive \"data.tar\"");
}

TEST(BackupObjects, AnIndexTellsThatThereWasAnotherArchive) {
  const BackupObjects objects =
      with_archives({"data.tar.zst"}, {"backup_manifest", "index/data", "index/data_0001"});
  EXPECT_EQ(find_archive_problem(objects, 0, ""), "lacks the archive \"data_0001.tar\"");
}

TEST(BackupObjects, TablespacesOutsideOfTheDataDirectoryHaveTheirOwn) {
  BackupInfo backup = make_backup("20261101T000000", "", "");
  backup.tablespaces = {{.name = "ts", .oid = 16384, .location = "/srv/ts"},
                        {.name = "in_place", .oid = 16385, .location = "pg_tblspc/16385"}};
  EXPECT_EQ(find_archive_problem(backup, with_archives({"data.tar", "16384.tar"})), "");
  EXPECT_EQ(find_archive_problem(backup, with_archives({"data.tar"})),
            "lacks the archive \"16384.tar\"");
}

}  // namespace
}  // namespace barman::catalogue
