// The files of the archive against the lines of the index.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/process.h"
#include "catalogue/test_support.h"
#include "catalogue/wal_index.h"
#include "check/gather_survey.h"

namespace barman::check {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t kMegabyte = std::uint64_t{1} << 20;

class ArchiveSurvey : public testing::Test {
 protected:
  ArchiveSurvey() : locations_(catalogue::default_locations("main", directory_.path() / "main")) {
    facts_.server_name = "main";
    facts_.segment_size = {kMegabyte};
  }
  static std::string segment(unsigned number) {
    return fmt::format("0000000100000000{:08X}", number);
  }
  void put(const std::string& name, std::uint64_t size_bytes = kMegabyte) {
    const auto path = catalogue::archived_wal_path(locations_.wals_directory, name);
    put_file(path, "x");
    std::filesystem::resize_file(path, size_bytes);
  }
  void index(const std::string& name, std::uint64_t size_bytes = kMegabyte,
             const std::string& compression = "None") {
    index_ += fmt::format("{}\t{}\t1.5\t{}\tNone\n", name, size_bytes, compression);
  }
  void put_indexed(unsigned number) {
    put(segment(number));
    index(segment(number));
  }
  // "object: reason"
  std::vector<std::string> damage() {
    put_file(locations_.wal_index_path(), index_);
    facts_.wal_damage.clear();
    facts_.segments.clear();
    facts_.unread_histories.clear();
    survey_wal_archive(locations_, {}, {}, facts_);
    std::vector<std::string> result;
    for (const Finding& finding : facts_.wal_damage) {
      EXPECT_FALSE(finding.next_step.empty());
      result.push_back(finding.object + ": " + finding.reason);
    }
    return result;
  }

  TemporaryDirectory directory_;
  catalogue::CatalogueLocations locations_;
  SurveyFacts facts_;
  std::string index_;
};

// A loop of links stands for a disk that does not answer.
TEST_F(ArchiveSurvey, FilesOfABackupThatCannotBeLookedAtAreDamage) {
  config::ServerConfig config;
  config.name = "main";
  config.backup_directory = (directory_.path() / "main").string();
  config.basebackups_directory = config.backup_directory + "/base";
  config.wals_directory = config.backup_directory + "/wals";
  config::GlobalConfig global;
  global.barman_lock_directory = directory_.path().string();
  const server::Server server(config, global, {});
  SurveyedBackup backup{.info = catalogue::make_backup("20260101T000000", segment(1), segment(1))};
  const auto base = server.catalogue().base_directory(backup.info.id);
  std::filesystem::create_directories(base);
  std::filesystem::create_directory_symlink("data", base / "data");
  NoProgress progress;
  survey_backup_files(server, verify::VerifyDepth::sizes, progress, backup);
  ASSERT_EQ(backup.damage.size(), 1U);
  EXPECT_THAT(backup.damage.front().reason, HasSubstr("Too many levels of symbolic links"));
}

TEST_F(ArchiveSurvey, FindsTheRunsAcrossDirectories) {
  // 4096 segments of a megabyte make one log number.
  for (const unsigned number : {1U, 2U, 4U}) put_indexed(number);
  put("000000010000000000000FFF");
  index("000000010000000000000FFF");
  put("000000010000000100000000");
  index("000000010000000100000000");
  EXPECT_THAT(damage(), IsEmpty());
  EXPECT_EQ(facts_.wal_count, 5U);
  EXPECT_EQ(facts_.wal_size_bytes, 5 * kMegabyte);
  const std::vector<SegmentRun>& runs = facts_.segments.at(wal::TimelineId{1});
  ASSERT_EQ(runs.size(), 3U);
  EXPECT_EQ(runs[0].first, 1U);
  EXPECT_EQ(runs[0].last, 2U);
  EXPECT_EQ(runs[2].first, 4095U);
  EXPECT_EQ(runs[2].last, 4096U);
}

TEST_F(ArchiveSurvey, AnUnsortedIndexIsAsGood) {
  put(segment(1));
  put_indexed(2);
  index(segment(1));
  EXPECT_THAT(damage(), IsEmpty());
}

TEST_F(ArchiveSurvey, ComparesFilesWithLines) {
  put(segment(1));  // no line
  index(segment(2));
  put(segment(3), kMegabyte / 2);
  index(segment(3));
  put(segment(4), 100);
  index(segment(4), 100);
  put(segment(5), 100);
  index(segment(5), 100, "gzip");
  put(segment(6), 0);
  index(segment(6), 0);
  put_indexed(7);
  index(segment(7));
  index("000000020000000000000001");
  EXPECT_THAT(damage(),
              ElementsAre(HasSubstr(segment(1) + ": it has no line"),
                          HasSubstr(segment(2) + ": the index has a line"),
                          HasSubstr("000000020000000000000001: the index has a line"),
                          HasSubstr(segment(3) + ": its size is not the one in the index"),
                          HasSubstr(segment(4) + ": its size is not that of a segment"),
                          HasSubstr(segment(6) + ": it is empty"),
                          HasSubstr(segment(7) + ": the index has more than one line")));
}

TEST_F(ArchiveSurvey, CountsWhatIsTooMuchToShow) {
  for (unsigned number = 1; number <= 50; ++number) put(segment(number));
  put_indexed(51);
  const std::vector<std::string> texts = damage();
  EXPECT_EQ(texts.size(), 21U);
  EXPECT_THAT(texts.back(), HasSubstr("30 more WAL files"));
}

TEST_F(ArchiveSurvey, ReadsHistories) {
  put_file(locations_.wals_directory / "00000002.history", "1\t0/3000158\tno recovery target\n");
  index("00000002.history", 30);
  put_file(locations_.wals_directory / "00000003.history", "nonsense\n");
  index("00000003.history", 9);
  EXPECT_THAT(damage(), ElementsAre(HasSubstr("00000003.history: it cannot be read")));
  EXPECT_TRUE(facts_.histories.contains(wal::TimelineId{2}));
  EXPECT_TRUE(facts_.unread_histories.contains(wal::TimelineId{3}));
}

TEST_F(ArchiveSurvey, ReadsCompressedHistories) {
  const auto path = locations_.wals_directory / "00000002.history";
  put_file(path, "1\t0/3000158\tno recovery target\n");
  ASSERT_EQ(run_process({.argv = {"gzip", path.string()}}).exit_code, 0);
  std::filesystem::rename(path.string() + ".gz", path);
  index("00000002.history", std::filesystem::file_size(path), "gzip");
  EXPECT_THAT(damage(), IsEmpty());
  EXPECT_TRUE(facts_.histories.contains(wal::TimelineId{2}));
}

// They need a passphrase, and there is none.
TEST_F(ArchiveSurvey, TellsWhyAnEncryptedHistoryIsNotRead) {
  put_file(locations_.wals_directory / "00000002.history", "\x84\x5e\x03" + std::string(120, 'x'));
  index("00000002.history", 123);
  EXPECT_THAT(damage(), ElementsAre(HasSubstr("encryption_passphrase_command")));
  EXPECT_TRUE(facts_.unread_histories.contains(wal::TimelineId{2}));
}

TEST_F(ArchiveSurvey, ADamagedIndexIsOneFinding) {
  put(segment(1));
  index_ = "one two\n";
  EXPECT_THAT(damage(), ElementsAre(HasSubstr("WAL index: ")));
  EXPECT_EQ(facts_.segments.size(), 1U);
}

TEST_F(ArchiveSurvey, StrangeFilesAreNamed) {
  put_indexed(1);
  put_file(locations_.wals_directory / "0000000100000000" / "core", "x");
  put_file(locations_.wals_directory / "lost+found" / "x", "x");
  // What a file system keeps for itself is no damage.
  EXPECT_THAT(damage(), ElementsAre(HasSubstr("core: it is no file")));
}

}  // namespace
}  // namespace barman::check
