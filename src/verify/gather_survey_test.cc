#include "verify/gather_survey.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_support.h"
#include "catalogue/test_support.h"

namespace barman::verify {
namespace {

using testing::HasSubstr;

constexpr const char* kSegment = "000000010000000000000001";

// A loop of links stands for a disk that does not answer.
TEST(GatherSurvey, FilesOfABackupThatCannotBeLookedAtAreDamage) {
  const TemporaryDirectory directory;
  config::ServerConfig config;
  config.name = "main";
  config.backup_directory = (directory.path() / "main").string();
  config.basebackups_directory = config.backup_directory + "/base";
  config.wals_directory = config.backup_directory + "/wals";
  config::GlobalConfig global;
  global.barman_lock_directory = directory.path().string();
  const server::Server server(config, global, {});
  SurveyedBackup backup{.info = catalogue::make_backup("20260101T000000", kSegment, kSegment)};
  const auto base = server.catalogue().base_directory(backup.info.id);
  std::filesystem::create_directories(base);
  std::filesystem::create_directory_symlink("data", base / "data");
  NoProgress progress;
  survey_backup_files(server, verify::VerifyDepth::sizes, progress, backup);
  ASSERT_EQ(backup.damage.size(), 1U);
  EXPECT_THAT(backup.damage.front().reason, HasSubstr("Too many levels of symbolic links"));
}

}  // namespace
}  // namespace barman::verify
