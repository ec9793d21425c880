#include "verify/gather_survey.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_support.h"
#include "catalogue/test_support.h"

namespace barman::verify {
namespace {

using testing::HasSubstr;

constexpr const char* kOnlySegment = "000000010000000000000001";

class GatherSurvey : public testing::Test {
 protected:
  GatherSurvey() {
    config_.name = "main";
    config_.backup_directory = (directory_.path() / "main").string();
    config_.basebackups_directory = config_.backup_directory + "/base";
    config_.wals_directory = config_.backup_directory + "/wals";
    global_.barman_lock_directory = directory_.path().string();
  }
  server::Server make() const { return {config_, global_, {}}; }

  TemporaryDirectory directory_;
  config::ServerConfig config_;
  config::GlobalConfig global_;
  NoProgress progress_;
  SurveyedBackup backup_{.info =
                             catalogue::make_backup("20260101T000000", kOnlySegment, kOnlySegment)};
};

// A loop of links stands for a disk that does not answer.
TEST_F(GatherSurvey, FilesOfABackupThatCannotBeLookedAtAreDamage) {
  const server::Server server = make();
  const auto base = server.catalogue().base_directory(backup_.info.id);
  std::filesystem::create_directories(base);
  std::filesystem::create_directory_symlink("data", base / "data");
  survey_backup_files(server, verify::VerifyDepth::sizes, progress_, backup_);
  ASSERT_EQ(backup_.damage.size(), 1U);
  EXPECT_THAT(backup_.damage.front().reason, HasSubstr("Too many levels of symbolic links"));
}

TEST_F(GatherSurvey, ReceivedWalThatCannotBeLookedAtIsToldWithTheRest) {
  config_.streaming_wals_directory = config_.backup_directory + "/streaming";
  config_.incoming_wals_directory = config_.backup_directory + "/incoming";
  config_.xlogdb_directory = config_.wals_directory;
  std::filesystem::create_directories(config_.wals_directory);
  put_file(config_.streaming_wals_directory, "x");
  const SurveyFacts facts = gather_wal_survey(make());
  ASSERT_EQ(facts.stopped_wal.size(), 1U);
  EXPECT_THAT(facts.stopped_wal.front().reason, HasSubstr("streaming\": Not a directory"));
  EXPECT_EQ(facts.stopped_wal.front().severity, Finding::Severity::error);
}

TEST_F(GatherSurvey, FilesOfABackupWhoseMetadataAreLostAreFound) {
  const server::Server server = make();
  std::filesystem::create_directories(config_.wals_directory);
  put_file(server.catalogue().base_directory({"20260101T000000"}) / "data/PG_VERSION", "17");
  put_file(server.catalogue().base_directory({"20260102T000000"}) / "data/PG_VERSION", "17");
  put_file(server.catalogue().backup_info_path({"20260102T000000"}), "status=STARTED\n");
  std::filesystem::create_directories(server.catalogue().base_directory({"20260103T000000"}));
  const SurveyFacts facts = gather_wal_survey(server);
  ASSERT_EQ(facts.nameless.size(), 1U);
  EXPECT_EQ(facts.nameless.front().filename(), "20260101T000000");
}

TEST_F(GatherSurvey, ArchivesThatAreNotCompressedHoldTheTablespaces) {
  const server::Server server = make();
  backup_.info.compression = "none";
  backup_.info.tablespaces = {{.name = "fast", .oid = 16385, .location = "/srv/fast"}};
  const auto data = server.catalogue().data_directory(backup_.info.id);
  for (const char* const name : {"base.tar", "16385.tar", "backup_manifest"}) {
    put_file(data / name, "content");
  }
  survey_backup_files(server, verify::VerifyDepth::sizes, progress_, backup_);
  EXPECT_TRUE(backup_.damage.empty()) << backup_.damage.front().reason;
  std::filesystem::remove(data / "16385.tar");
  survey_backup_files(server, verify::VerifyDepth::sizes, progress_, backup_);
  ASSERT_EQ(backup_.damage.size(), 1U);
  EXPECT_THAT(backup_.damage.front().reason, HasSubstr("the archive of tablespace fast (16385)"));
}

}  // namespace
}  // namespace barman::verify
