#include "facts/backup_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue/test_support.h"
#include "wal_archive/test_support.h"

namespace barman::facts {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;
using wal_archive::RecordedMessages;
using wal_archive::TestServer;

constexpr const char* kFirst = "000000010000000000000001";
constexpr const char* kSecond = "000000010000000000000002";

void keep_backup(const server::Server& server, const std::string& id) {
  server.catalogue().save(catalogue::make_backup(id, kFirst, kFirst));
}

TEST(BackupFacts, ABackupThatCannotBeReadIsAWarning) {
  const TestServer site;
  const server::Server server = site.make();
  keep_backup(server, "20261101T000000");
  keep_backup(server, "20261102T000000");
  put_file(server.catalogue().backup_info_path({"20261102T000000"}), "status=NONSENSE\n");
  RecordedMessages messages;
  const auto backups = list_readable_backups(messages, server);
  ASSERT_THAT(backups, SizeIs(1));
  EXPECT_EQ(backups.front().id.value, "20261101T000000");
  EXPECT_THAT(messages.lines,
              ElementsAre(StartsWith("WARNING: backup 20261102T000000 is left out: ")));
}

TEST(BackupFacts, ABackupWithoutFilesIsAWarning) {
  const TestServer site;
  const server::Server server = site.make();
  keep_backup(server, "20261101T000000");
  keep_backup(server, "20261102T000000");
  std::filesystem::create_directories(server.catalogue().base_directory({"20261101T000000"}));
  RecordedMessages messages;
  EXPECT_THAT(load_and_warn(messages, server).list.backups, SizeIs(2));
  EXPECT_THAT(
      messages.lines,
      ElementsAre("WARNING: backup 20261102T000000 has no files: its directory is missing. Mount "
                  "the disk that it lies on; if its files are gone for good, 'barman delete main "
                  "20261102T000000' removes the rest of it"));
}

TEST(BackupFacts, ADamagedIndexTellsHowToMendIt) {
  const TestServer site;
  const server::Server server = site.make();
  const auto index = std::filesystem::path(site.config.xlogdb_directory) / "main-xlog.db";
  put_file(index, std::string(kFirst) + "\t16777216\t1.0\tNone\tNone\n");
  std::vector<std::string> names;
  const auto visit = [&](const wal_archive::WalIndexLine& line) {
    names.emplace_back(line.name);
    return wal_archive::Visit::proceed;
  };
  wal_lines(server)(visit);
  EXPECT_THAT(names, ElementsAre(kFirst));
  put_file(index, "one word\n");
  try {
    wal_lines(server)(visit);
    ADD_FAILURE() << "a damaged index was read";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    EXPECT_THAT(error.hint(), HasSubstr("barman rebuild-xlogdb main"));
  }
}

TEST(BackupFacts, AHistoryThatCannotBeReadIsAWarning) {
  const TestServer site;
  const server::Server server = site.make();
  RecordedMessages messages;
  const auto read = read_archived_history(messages, server);
  EXPECT_FALSE(read({2}).has_value());
  EXPECT_THAT(messages.lines, IsEmpty()) << "there is none";
  const auto path = std::filesystem::path(site.config.wals_directory) / "00000002.history";
  wal_archive::put_wal_file(path, "before 2");
  EXPECT_THAT(read({2}).value_or(""), HasSubstr("before 2"));
  // A loop of links stands for a disk that does not answer.
  std::filesystem::remove(path);
  std::filesystem::create_symlink("00000002.history", path);
  EXPECT_FALSE(read({2}).has_value());
  EXPECT_THAT(messages.lines,
              ElementsAre(StartsWith("WARNING: timelines from 2 on are not told: ")));
}

TEST(BackupFacts, RetentionIsToldOfServersWithAPolicy) {
  TestServer site;
  const std::vector<catalogue::BackupInfo> backups = {
      catalogue::make_backup("20261101T000000", kFirst, kFirst),
      catalogue::make_backup("20261102T000000", kSecond, kSecond)};
  EXPECT_FALSE(list_retention_statuses(site.make(), backups, {}).has_value());
  for (const catalogue::BackupInfo& backup : backups) {
    std::filesystem::create_directories(site.make().catalogue().base_directory(backup.id));
  }
  site.config.retention_policy = config::RetentionPolicy{.count = 1};
  const auto statuses =
      list_retention_statuses(site.make(), backups, site.make().catalogue().list_annotations());
  ASSERT_TRUE(statuses.has_value());
  EXPECT_EQ(statuses->at({"20261101T000000"}), catalogue::RetentionStatus::obsolete);
  EXPECT_EQ(statuses->at({"20261102T000000"}), catalogue::RetentionStatus::valid);
}

}  // namespace
}  // namespace barman::facts
