#include "catalogue/gone_backups.h"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "catalogue/test_support.h"

namespace barman::catalogue {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

const BackupId kOldestOne{"20261101T000000"};
const BackupId kMiddleOne{"20261102T000000"};
const BackupId kYoungestOne{"20261103T000000"};

// Three backups with their files and their first WAL.
class GoneBackups : public testing::Test {
 protected:
  GoneBackups() {
    for (const auto& [id, number] :
         {std::pair(kOldestOne, 2), {kMiddleOne, 4}, {kYoungestOne, 6}}) {
      BackupInfo info = make_backup(id.value, wal(number), wal(number));
      info.version = 150000;
      catalogue_.save(info);
      put_file(directory(id) / "data" / "PG_VERSION", "15");
      put_file(wal_path(number), "");
    }
  }
  static std::string wal(int number) { return "00000001000000000000000" + std::to_string(number); }
  fs::path wal_path(int number) const { return root_ / "wals" / "0000000100000000" / wal(number); }
  fs::path directory(const BackupId& id) const { return root_ / "base" / id.value; }
  static std::vector<std::string> ids(const std::vector<BackupInfo>& backups) {
    std::vector<std::string> ids;
    for (const BackupInfo& backup : backups) ids.push_back(backup.id.value);
    return ids;
  }

  TemporaryDirectory home_;
  const fs::path root_ = home_.path() / "main";
  Catalogue catalogue_{default_locations("main", root_)};
};

TEST_F(GoneBackups, AreSetAsideWithoutFilesAndWithoutWal) {
  EXPECT_THAT(catalogue_.list_backups().gone, IsEmpty());
  BackupListReader reader(catalogue_);
  EXPECT_EQ(reader.read().backups.size(), 3U);
  // As Barman deletes the oldest one.
  fs::remove_all(directory(kOldestOne));
  fs::remove(wal_path(2));
  const BackupList list = catalogue_.list_backups();
  EXPECT_THAT(ids(list.backups), ElementsAre(kMiddleOne.value, kYoungestOne.value));
  EXPECT_THAT(ids(list.gone), ElementsAre(kOldestOne.value));
  ASSERT_NE(list.find_gone(kOldestOne), nullptr);
  EXPECT_THAT(describe_gone(*list.find_gone(kOldestOne), "main"),
              testing::HasSubstr("'barman delete main 20261101T000000'"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(ids(reader.read().backups), ElementsAre(kMiddleOne.value, kYoungestOne.value));
    EXPECT_THAT(ids(reader.read().gone), ElementsAre(kOldestOne.value));
  }
  EXPECT_EQ(catalogue_.resolve("oldest").id, kMiddleOne);
  try {
    resolve_backup(list, {}, kOldestOne.value, "main");
    FAIL() << "it was found";
  } catch (const Error& error) {
    EXPECT_THAT(error.hint(), testing::HasSubstr("is gone"));
  }
}

// As the newest of a restore: what can be restored, and why not the other one.
TEST_F(GoneBackups, ArePassedOverByWordsForTheNewest) {
  const auto newest = [&] {
    std::vector<std::string> passed_over;
    const KnownBackups known = catalogue_.load();
    const BackupId id =
        resolve_backup(known.list, known.annotations, "latest", "main", &passed_over).id;
    return std::pair(id, passed_over);
  };
  EXPECT_EQ(newest(), std::pair(kYoungestOne, std::vector<std::string>{}));
  fs::remove_all(directory(kYoungestOne));
  EXPECT_EQ(newest().first, kMiddleOne);
  EXPECT_THAT(newest().second,
              ElementsAre("Backup 20261103T000000 is passed over, it cannot be restored: its "
                          "directory is missing."));
  EXPECT_EQ(catalogue_.resolve_to_judge("latest").id, kYoungestOne)
      << "nobody is told of an older one that it is good";
  fs::remove(wal_path(6));
  EXPECT_EQ(newest().first, kMiddleOne);
  EXPECT_THAT(newest().second, ElementsAre(testing::HasSubstr("removed by another program")));
  // None can be restored: who wants one tells why.
  for (const BackupId& id : {kOldestOne, kMiddleOne}) fs::remove_all(directory(id));
  EXPECT_EQ(newest(), std::pair(kYoungestOne, std::vector<std::string>{}));
}

// A disk that is not mounted must not cost a backup the WAL that it needs.
TEST_F(GoneBackups, AreNotThoseWhoseWalIsThere) {
  fs::remove_all(directory(kOldestOne));
  EXPECT_THAT(catalogue_.list_backups().gone, IsEmpty());
  EXPECT_TRUE(is_orphan(catalogue_.load_backup(kOldestOne), catalogue_.list_annotations()));
}

TEST_F(GoneBackups, AreThereOnlyBesideAWholeOne) {
  for (const BackupId& id : {kOldestOne, kMiddleOne, kYoungestOne}) fs::remove_all(directory(id));
  fs::remove_all(root_ / "wals");
  EXPECT_THAT(catalogue_.list_backups().gone, IsEmpty()) << "the disk is not mounted";
  put_file(directory(kYoungestOne) / "data" / "PG_VERSION", "15");
  EXPECT_THAT(catalogue_.list_backups().gone, IsEmpty()) << "that of the WAL is not mounted";
}

TEST_F(GoneBackups, AreNotThoseThatWeDelete) {
  fs::remove_all(directory(kOldestOne));
  fs::remove(wal_path(2));
  catalogue_.mark_being_deleted(kOldestOne);
  EXPECT_THAT(catalogue_.list_backups().gone, IsEmpty());
}

}  // namespace
}  // namespace barman::catalogue
