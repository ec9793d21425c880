#include "facts/server_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace barman::facts {
namespace {

using catalogue::BackupInfo;
using catalogue::BackupStatus;
using testing::ElementsAre;

Timestamp at(double seconds) { return from_epoch_seconds(seconds); }

BackupInfo ended_backup(const std::string& id, BackupStatus status, double end) {
  BackupInfo backup;
  backup.id = {id};
  backup.status = status;
  backup.mode = "postgres";
  backup.end_time = at(end);
  return backup;
}

const std::vector<BackupInfo> kBackups = {
    ended_backup("20261101T000000", BackupStatus::done, 1000),
    ended_backup("20261102T000000", BackupStatus::failed, 2000),
    ended_backup("20261103T000000", BackupStatus::done, 3000),
    ended_backup("20261104T000000", BackupStatus::waiting_for_wals, 4000),
    ended_backup("20261105T000000", BackupStatus::done, 5000)};

TEST(RecoverySpan, GoesFromTheFirstUsableBackupToTheLastWal) {
  const auto span = find_recovery_span(kBackups, {}, 6000);
  ASSERT_TRUE(span.has_value());
  EXPECT_EQ(span->begin, at(1000));
  EXPECT_EQ(span->end, at(6000));
  EXPECT_THAT(span->backups, ElementsAre(at(1000), at(3000), at(5000)));
}

TEST(RecoverySpan, EndsNotBeforeItsLastBackup) {
  EXPECT_EQ(find_recovery_span(kBackups, {}, 4500)->end, at(5000));
  EXPECT_EQ(find_recovery_span(kBackups, {}, std::nullopt)->end, at(5000));
}

TEST(RecoverySpan, DoesNotBeginWithWhatHasNoWalBehindIt) {
  catalogue::Annotations annotations;
  annotations.keeps[{"20261101T000000"}] = catalogue::KeepTarget::standalone;
  EXPECT_EQ(find_recovery_span(kBackups, annotations, 6000)->begin, at(3000));
  annotations.keeps[{"20261101T000000"}] = catalogue::KeepTarget::full;
  EXPECT_EQ(find_recovery_span(kBackups, annotations, 6000)->begin, at(1000));
  annotations.being_deleted.insert({"20261101T000000"});
  EXPECT_EQ(find_recovery_span(kBackups, annotations, 6000)->begin, at(3000));
}

TEST(RecoverySpan, NeedsAUsableBackup) {
  EXPECT_FALSE(find_recovery_span({kBackups[1], kBackups[3]}, {}, 6000).has_value());
  EXPECT_FALSE(find_recovery_span({}, {}, std::nullopt).has_value());
}

TEST(WatchNewest, SeesWalSegmentsOnly) {
  const wal_archive::WalLines lines = [](const wal_archive::WalIndexVisitor& visitor) {
    visitor({.name = "000000010000000000000003", .mtime = 30});
    visitor({.name = "000000010000000000000002", .mtime = 20});
    visitor({.name = "00000002.history", .mtime = 99});
    visitor({.name = "000000010000000000000002.00000028.backup", .mtime = 98});
  };
  std::optional<double> newest;
  int count = 0;
  watch_newest(lines, newest)([&](const wal_archive::WalIndexLine&) {
    ++count;
    return wal_archive::Visit::proceed;
  });
  EXPECT_EQ(newest, 30);
  EXPECT_EQ(count, 4);
}

config::ServerConfig table_config() {
  config::ServerConfig config;
  config.name = "main";
  config.minimum_redundancy = 2;
  config.streaming_archiver = true;
  return config;
}

TEST(ServerSummary, CountsWhatStatusCounts) {
  ServerFacts facts;
  facts.version_text = "17.6";
  const ServerSummary summary = summarize_server(table_config(), facts, kBackups, true);
  EXPECT_EQ(summary.name, "main");
  EXPECT_EQ(summary.postgres_version, "17.6");
  EXPECT_EQ(summary.backup_count, 3U);
  EXPECT_EQ(summary.redundancy, 3U);
  EXPECT_EQ(summary.minimum_redundancy, 2U);
  EXPECT_EQ(summary.last_backup_end, at(5000));
  EXPECT_EQ(summary.is_receiver_running, true);
  EXPECT_FALSE(summary.is_archiving.has_value());
}

TEST(ServerSummary, TellsOfTheWaysThatAreConfigured) {
  config::ServerConfig config = table_config();
  config.streaming_archiver = false;
  config.archiver = true;
  ServerFacts facts;
  facts.archiver.emplace();
  facts.archiver->is_archiving = true;
  const ServerSummary summary = summarize_server(config, facts, {}, false);
  EXPECT_FALSE(summary.is_receiver_running.has_value());
  EXPECT_EQ(summary.is_archiving, true);
  EXPECT_FALSE(summary.postgres_version.has_value());
  EXPECT_TRUE(summary.has_live_values);
  EXPECT_FALSE(summarize_server(config, std::nullopt, {}, false).has_live_values);
}

}  // namespace
}  // namespace barman::facts
