#include "catalogue/backup_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue/test_support.h"

namespace barman::catalogue {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

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

class WalsUntilNext : public testing::Test {
 protected:
  static std::vector<std::string> list(const BackupInfo& backup,
                                       const std::vector<BackupInfo>& backups) {
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
  const BackupInfo first =
      make_backup("20261121T000000", "000000010000000000000002", "000000010000000000000002");
  const BackupInfo failed = make_backup("20261122T000000", "000000010000000000000003",
                                        "000000010000000000000003", BackupStatus::failed);
  const BackupInfo next =
      make_backup("20261123T000000", "000000010000000000000004", "000000010000000000000004");
  EXPECT_THAT(
      list(first, {first, failed, next}),
      ElementsAre("00000001.history", "000000010000000000000002", "000000010000000000000003",
                  "00000002.history", "000000010000000000000004"));
  EXPECT_THAT(list(next, {first, failed, next}),
              ElementsAre("00000001.history", "00000002.history", "000000010000000000000005",
                          "00000003.history", "000000010000000000000004"));
}

TEST_F(WalsUntilNext, IsEmptyWithoutABegin) {
  const BackupInfo failed = make_backup("20261121T000000", "", "", BackupStatus::failed);
  EXPECT_THAT(list(failed, {failed}), IsEmpty());
}

}  // namespace
}  // namespace barman::catalogue
