#include "backup/single_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace barman::backup {
namespace {

using testing::ElementsAre;
using testing::Pair;

// Copies what is there, and remembers it.
class SingleFilesOfACluster : public testing::Test {
 protected:
  SingleFiles files() {
    return {steps_, "/backup/data",
            [this](const std::string& source, const std::filesystem::path& destination) {
              copied_.emplace_back(source, destination.string());
              return source != missing_;
            }};
  }
  template <typename Action>
  static std::string refusal(const Action& action) {
    try {
      action();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::not_found);
      return error.describe_with_hint();
    }
    return "";
  }

  const CopySteps steps_{3};
  std::string missing_;
  std::vector<std::pair<std::string, std::string>> copied_;
  const std::vector<OutsideFile> outside_ = {
      {.path = "/etc/pg/postgresql.conf", .name = {}, .setting = "config_file"},
      {.path = "/etc/pg/pg_ident.conf", .name = {}, .setting = "ident_file"}};
};

TEST_F(SingleFilesOfACluster, AreCopiedIntoTheRootOfTheDataDirectory) {
  const std::vector<CopiedItem> items = files().copy_outside_files(outside_, 1);
  EXPECT_THAT(copied_, ElementsAre(Pair("/etc/pg/postgresql.conf", "/backup/data/postgresql.conf"),
                                   Pair("/etc/pg/pg_ident.conf", "/backup/data/pg_ident.conf")));
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0].label, "config_file");
  EXPECT_EQ(items[0].copy_seconds, items[0].serial_seconds);
}

TEST_F(SingleFilesOfACluster, MayBeMissingOnlyWherePostgresStartsWithout) {
  missing_ = "/etc/pg/pg_ident.conf";
  EXPECT_EQ(files().copy_outside_files(outside_, 1).size(), 1U);
  missing_ = "/etc/pg/postgresql.conf";
  EXPECT_EQ(refusal([&] { files().copy_outside_files(outside_, 1); }),
            "there is no file \"/etc/pg/postgresql.conf\"\n"
            "HINT: Correct config_file in the settings of PostgreSQL.");
}

TEST_F(SingleFilesOfACluster, EndWithTheLabelOfAnExclusiveBackup) {
  files().copy_label("/srv/pg", 3);
  EXPECT_THAT(copied_, ElementsAre(Pair("/srv/pg/backup_label", "/backup/data/backup_label")));
  missing_ = "/srv/pg/backup_label";
  EXPECT_THAT(refusal([&] { files().copy_label("/srv/pg", 3); }),
              testing::HasSubstr("the exclusive backup has ended"));
}

}  // namespace
}  // namespace barman::backup
