#include "catalogue/backup_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue/test_support.h"

namespace barman::catalogue {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

std::vector<std::string> files_below(const fs::path& directory, EmptyDirectories empty) {
  std::vector<std::string> names;
  visit_files(directory, empty, [&](const fs::path& path) {
    names.push_back(path.lexically_relative(directory).string());
  });
  return names;
}

TEST(VisitFiles, ListsTheFilesOfADirectoryBeforeItsSubdirectories) {
  const TemporaryDirectory directory;
  const fs::path base = directory.path() / "20261121T014237";
  put_file(base / "data" / "PG_VERSION", "15\n");
  put_file(base / "data" / "base" / "1" / "1259", "x");
  put_file(base / "16386" / "PG_15" / "5" / "16387", "x");
  put_file(base / "backup.info", "x");
  fs::create_directories(base / "data" / "pg_wal");
  fs::create_directories(base / "data" / "pg_tblspc");
  fs::create_directory_symlink(base / "16386", base / "data" / "pg_tblspc" / "16386");
  fs::create_symlink("/nowhere", base / "data" / "dangling");
  EXPECT_THAT(files_below(base, EmptyDirectories::leave_out),
              ElementsAre("backup.info", "16386/PG_15/5/16387", "data/PG_VERSION", "data/dangling",
                          "data/base/1/1259"));
  EXPECT_THAT(files_below(base, EmptyDirectories::list),
              ElementsAre("backup.info", "16386/PG_15/5/16387", "data/PG_VERSION", "data/dangling",
                          "data/base/1/1259", "data/pg_wal"));
  EXPECT_THROW(files_below(base / "gone", EmptyDirectories::list), Error);
}

}  // namespace
}  // namespace barman::catalogue
