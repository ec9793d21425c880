#include "restore/recovery_settings.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace barman::restore {
namespace {

RecoverySettingsRequest request_for(int version) {
  return {.server_name = "main", .barman_user = "barman", .server_version = version};
}

TEST(RecoverySettings, LeavesPlainPathsUnquoted) {
  EXPECT_EQ(quote_command_path("/srv/pg/barman_wal"), "/srv/pg/barman_wal");
}

TEST(RecoverySettings, QuotesPathsForTheShellAndDoublesPercent) {
  EXPECT_EQ(quote_command_path("/srv/my pg"), "'/srv/my pg'");
  EXPECT_EQ(quote_command_path("/srv/100%"), "/srv/100%%");
}

TEST(RecoverySettings, QuotesForTheShellFirstAndThenForTheFile) {
  RecoverySettingsRequest request = request_for(150000);
  request.target.name = "it's";
  request.staging_wal_directory = "/srv/my pg";
  EXPECT_EQ(format_recovery_settings(request),
            "restore_command = 'cp ''/srv/my pg''/%f %p'\n"
            "recovery_end_command = 'rm -fr ''/srv/my pg'''\n"
            "recovery_target_name = 'it''s'\n");
}

TEST(RecoverySettings, WritesTargetsInTheOrderOfBarman) {
  RecoverySettingsRequest request = request_for(150000);
  request.staging_wal_directory = "/srv/pg/barman_wal";
  request.target.time = parse_timestamp("2026-11-21 01:43:14+00:00")->time;
  request.target.exclusive = true;
  request.target.timeline = wal::parse_timeline_target("2");
  request.target.action = TargetAction::promote;
  EXPECT_EQ(format_recovery_settings(request),
            "restore_command = 'cp /srv/pg/barman_wal/%f %p'\n"
            "recovery_end_command = 'rm -fr /srv/pg/barman_wal'\n"
            "recovery_target_time = '2026-11-21 01:43:14+00:00'\n"
            "recovery_target_inclusive = 'False'\n"
            "recovery_target_timeline = 2\n"
            "recovery_target_action = 'promote'\n");
}

TEST(RecoverySettings, ExclusiveMeansNothingForNamesAndImmediate) {
  RecoverySettingsRequest request = request_for(150000);
  request.target.immediate = true;
  request.target.exclusive = true;
  EXPECT_EQ(format_recovery_settings(request), "recovery_target = 'immediate'\n");
}

TEST(RecoverySettings, FetchesByGetWal) {
  RecoverySettingsRequest request = request_for(150000);
  request.get_wal = true;
  EXPECT_EQ(format_recovery_settings(request),
            "# The 'barman get-wal' command must run as 'barman' user\n"
            "restore_command = 'barman get-wal -P main %f > %p'\n");
  request.standby_mode = true;
  EXPECT_EQ(format_recovery_settings(request),
            "# The 'barman get-wal' command must run as 'barman' user\n"
            "restore_command = 'barman get-wal main %f > %p'\n");
}

TEST(RecoverySettings, FetchesFromAnotherHostByBarmanWalRestore) {
  RecoverySettingsRequest request = request_for(150000);
  request.get_wal = true;
  request.remote = RemoteFetching{.barman_host = "backup.example.com", .port = "2222", .jobs = 3};
  const std::string comment =
      "# The 'barman-wal-restore' command is provided in the 'barman-cli' package\n";
  EXPECT_EQ(format_recovery_settings(request),
            comment +
                "restore_command = 'barman-wal-restore -P -U barman --port 2222 "
                "backup.example.com main %f %p -p 3'\n");
  request.standby_mode = true;
  request.remote = RemoteFetching{.barman_host = "backup.example.com"};
  EXPECT_EQ(
      format_recovery_settings(request),
      comment + "restore_command = 'barman-wal-restore -U barman backup.example.com main %f %p'\n");
}

TEST(RecoverySettings, TakesTheUsersRestoreCommand) {
  RecoverySettingsRequest request = request_for(150000);
  request.get_wal = true;
  request.restore_command = "fetch 'x' %f";
  EXPECT_EQ(format_recovery_settings(request), "restore_command = 'fetch ''x'' %f'\n");
}

TEST(RecoverySettings, StandbyWithTargetReadsTheStagedWalAndKeepsIt) {
  RecoverySettingsRequest request = request_for(150000);
  request.standby_mode = true;
  request.target.immediate = true;
  request.staging_wal_directory = "/srv/w";
  EXPECT_EQ(format_recovery_settings(request),
            "restore_command = 'cp /srv/w/%f %p'\n"
            "recovery_target = 'immediate'\n");
}

TEST(RecoverySettings, OldServersGetStandbyModeAndNoWordForTheCurrentTimeline) {
  RecoverySettingsRequest request = request_for(110000);
  request.standby_mode = true;
  request.target.timeline = wal::parse_timeline_target("current");
  EXPECT_EQ(format_recovery_settings(request), "standby_mode = 'on'\n");
}

TEST(RecoverySettings, AForcedTimelineWinsOverTheWord) {
  RecoverySettingsRequest request = request_for(150000);
  request.target.timeline = wal::parse_timeline_target("latest");
  request.forced_timeline = wal::parse_timeline_target("3");
  EXPECT_EQ(format_recovery_settings(request), "recovery_target_timeline = 3\n");
  request.forced_timeline = wal::parse_timeline_target("current");
  EXPECT_EQ(format_recovery_settings(request), "recovery_target_timeline = current\n");
  request.server_version = 110000;
  EXPECT_EQ(format_recovery_settings(request), "");
}

TEST(RecoverySettings, AppendsBehindAnEmptyLine) {
  EXPECT_EQ(append_settings("", "x = 1\n"), "x = 1\n");
  EXPECT_EQ(append_settings("# top\n", "x = 1\n"), "# top\n\nx = 1\n");
  EXPECT_EQ(append_settings("# top", "x = 1\n"), "# top\n\nx = 1\n");
  EXPECT_EQ(append_settings("# top", ""), "# top");
}

TEST(RecoverySettings, NoValueWithALineBreak) {
  RecoverySettingsRequest request;
  request.server_version = 170000;
  request.staging_wal_directory = "/srv/a\nb";
  EXPECT_THROW(format_recovery_settings(request), Error);
}

}  // namespace
}  // namespace barman::restore
