#include "restore/build_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "catalogue/test_support.h"
#include "restore/recovery_target.h"
#include "stored/plain_tree.h"

namespace barman::restore {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::uint64_t kSegmentBytes = std::uint64_t{16} << 20;

RestoreFacts facts() {
  RestoreFacts facts;
  facts.server_name = "main";
  facts.barman_user = "barman";
  facts.backup.id = catalogue::BackupId{"20261121T014251"};
  facts.backup.status = catalogue::BackupStatus::done;
  facts.backup.mode = "postgres";
  facts.backup.version = 150020;
  facts.backup.timeline = wal::TimelineId{1};
  facts.backup.begin_wal = "000000010000000000000002";
  facts.backup.end_wal = "000000010000000000000003";
  facts.backup.end_xlog = wal::Lsn{3 * kSegmentBytes + 0x100};
  facts.backup.end_time = parse_timestamp("2026-11-21 01:42:52+00:00")->time;
  facts.backup.tablespaces = {{.name = "tbs1", .oid = 16384, .location = "/old/tbs1"}};
  facts.content = {
      {16384, std::make_shared<stored::PlainTree>("/barman/main/base/20261121T014251/16384")},
      {0, std::make_shared<stored::PlainTree>("/barman/main/base/20261121T014251/data")}};
  facts.scan.total_bytes = 1000;
  facts.archive = wal_archive::WalArchive(catalogue::default_locations("main", "/barman/main"), {});
  facts.streaming_directory = "/barman/main/streaming";
  for (const char* const name : {"000000010000000000000002", "000000010000000000000003",
                                 "000000010000000000000004", "000000010000000000000005"}) {
    facts.wal.push_back({.name = name, .size_bytes = kSegmentBytes});
  }
  facts.timelines.newest_archived = wal::TimelineId{1};
  facts.timelines.last_segments[wal::TimelineId{1}] = "000000010000000000000005";
  facts.catalogue_directories = {"/barman/main"};
  facts.destination = {.resolved = "/srv/pg", .available_bytes = std::uint64_t{1} << 40};
  facts.tablespace_targets["tbs1"] = {.resolved = "/old/tbs1",
                                      .available_bytes = std::uint64_t{1} << 40};
  return facts;
}

RestoreRequest request() { return {.backup = "latest", .destination = "/srv/pg"}; }

RestorePlan plan_of(const RestoreFacts& given, const RestoreRequest& asked) {
  return build_plan(given, asked, parse_target(asked.target), {});
}

std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

std::string refusal_of(const RestoreFacts& given, const RestoreRequest& asked) {
  return refusal([&] { plan_of(given, asked); });
}

std::vector<std::string> names_of(const std::vector<WalFileCopy>& files) {
  std::vector<std::string> names;
  for (const WalFileCopy& file : files) names.push_back(file.name);
  return names;
}

TEST(BuildPlan, WithoutTargetWalGoesToPgWalAndNothingIsConfigured) {
  const RestorePlan plan = plan_of(facts(), request());
  EXPECT_EQ(plan.wal.directory, "/srv/pg/pg_wal");
  EXPECT_TRUE(plan.wal.has_done_markers);
  EXPECT_EQ(plan.wal.files.size(), 4U);
  EXPECT_EQ(plan.wal.files[0].source,
            "/barman/main/wals/0000000100000000/000000010000000000000002");
  EXPECT_FALSE(plan.recovery.is_written);
  EXPECT_EQ(plan.recovery.signal_file, "");
  EXPECT_EQ(plan.target_text, "");
  EXPECT_THAT(plan.warnings, IsEmpty());
  ASSERT_EQ(plan.trees.size(), 2U);
  EXPECT_EQ(plan.trees[0].destination, "/old/tbs1");
  EXPECT_EQ(plan.trees[1].manifest_name, "backup_manifest.20261121T014251");
}

TEST(BuildPlan, EachTargetIsWritten) {
  struct Case {
    TargetRequest target;
    std::string setting;
    std::string text;
  };
  for (const Case& given : std::vector<Case>{
           {{.time = "2026-11-21 01:43:14+00:00"},
            "recovery_target_time = '2026-11-21 01:43:14+00:00'",
            "time: '2026-11-21 01:43:14+00:00'"},
           {{.xid = "777"}, "recovery_target_xid = '777'", "xid: '777'"},
           {{.lsn = "0/4000100"}, "recovery_target_lsn = '0/4000100'", "lsn: '0/4000100'"},
           {{.name = "rp1"}, "recovery_target_name = 'rp1'", "name: 'rp1'"},
           {{.immediate = true}, "recovery_target = 'immediate'", "immediate: True"},
           {{.timeline = wal::parse_timeline_target("current")},
            "recovery_target_timeline = current",
            "timeline: '1'"}}) {
    RestoreRequest asked = request();
    asked.target = given.target;
    const RestorePlan plan = plan_of(facts(), asked);
    EXPECT_THAT(plan.recovery.settings, HasSubstr(given.setting + "\n"));
    EXPECT_EQ(plan.target_text, given.text);
    EXPECT_EQ(plan.recovery.signal_file, "recovery.signal");
    EXPECT_EQ(plan.recovery.settings_file, "postgresql.auto.conf");
    EXPECT_EQ(plan.wal.directory, "/srv/pg/barman_wal");
    EXPECT_FALSE(plan.wal.has_done_markers);
  }
}

TEST(BuildPlan, OldServersGetRecoveryConf) {
  RestoreFacts given = facts();
  given.backup.version = 90624;
  RestoreRequest asked = request();
  asked.target.name = "rp1";
  const RestorePlan plan = plan_of(given, asked);
  EXPECT_EQ(plan.recovery.settings_file, "recovery.conf");
  EXPECT_EQ(plan.recovery.signal_file, "");
  EXPECT_EQ(plan.pg_wal_name, "pg_xlog");
}

TEST(BuildPlan, ImmediateCopiesOnlyWhatConsistencyNeeds) {
  RestoreRequest asked = request();
  asked.target.immediate = true;
  EXPECT_THAT(names_of(plan_of(facts(), asked).wal.files),
              ElementsAre("000000010000000000000002", "000000010000000000000003"));
}

TEST(BuildPlan, StandbyWithoutTargetHasTheSignalFileOnly) {
  RestoreRequest asked = request();
  asked.standby_mode = true;
  const RestorePlan plan = plan_of(facts(), asked);
  EXPECT_EQ(plan.recovery.signal_file, "standby.signal");
  EXPECT_EQ(plan.recovery.settings, "");
  EXPECT_EQ(plan.wal.directory, "/srv/pg/pg_wal");
}

TEST(BuildPlan, GetWalCopiesNothing) {
  RestoreRequest asked = request();
  asked.get_wal = true;
  asked.partial_wal = true;
  const RestorePlan plan = plan_of(facts(), asked);
  EXPECT_FALSE(plan.wal.is_copied);
  EXPECT_THAT(plan.recovery.settings, HasSubstr("barman get-wal -P main %f > %p"));
  EXPECT_THAT(plan.warnings,
              ElementsAre("The --partial-wal option was ignored as it only works with "
                          "--no-get-wal."));
}

TEST(BuildPlan, TakesTheSegmentBeingReceived) {
  const std::string name = "000000010000000000000006";
  RestoreFacts given = facts();
  given.received = {{.path = "/barman/main/streaming/" + name + ".partial", .size_bytes = 100}};
  const WalFileCopy copy{
      "/barman/main/streaming/" + name + ".partial",
      name,
      100,
      {"/barman/main/streaming/" + name, "/barman/main/wals/0000000100000000/" + name}};
  const RestorePlan plan = plan_of(given, request());
  EXPECT_THAT(plan.wal.partials, ElementsAre(copy));
  EXPECT_THAT(plan.notes, ElementsAre(HasSubstr("'" + name + "' is not complete yet")));
  RestoreRequest asked = request();
  asked.target.time = "2026-11-22 01:43:14+00:00";
  EXPECT_THAT(plan_of(given, asked).wal.partials, ElementsAre(copy));
  asked.target = {.lsn = "0/6000100"};
  EXPECT_THAT(plan_of(given, asked).wal.partials, ElementsAre(copy));
  given.received[0].path = "/barman/main/streaming/000000010000000000000007.partial";
  EXPECT_THAT(plan_of(given, request()).wal.partials, IsEmpty());
}

TEST(BuildPlan, GivesAStandbyNoUnfinishedSegmentUnlessAskedTo) {
  RestoreFacts given = facts();
  given.received = {{.path = "/s/000000010000000000000006.partial", .size_bytes = 100}};
  RestoreRequest asked = request();
  asked.standby_mode = true;
  EXPECT_THAT(plan_of(given, asked).wal.partials, IsEmpty());
  asked.partial_wal = true;
  EXPECT_EQ(plan_of(given, asked).wal.partials.size(), 1U);
}

TEST(BuildPlan, WarnsOfABackupThatEndsInAnUnfinishedSegment) {
  RestoreFacts given = facts();
  given.backup.status = catalogue::BackupStatus::waiting_for_wals;
  given.wal.resize(1);
  EXPECT_THAT(plan_of(given, request()).warnings,
              ElementsAre(HasSubstr("does not have yet all the WAL files")));
  given.received = {{.path = "/s/000000010000000000000003.partial", .size_bytes = 100}};
  EXPECT_THAT(plan_of(given, request()).warnings,
              ElementsAre(HasSubstr("has not arrived completely")));
  given.received = {{.path = "/s/000000010000000000000003", .size_bytes = kSegmentBytes}};
  EXPECT_THAT(plan_of(given, request()).warnings, IsEmpty());
}

TEST(BuildPlan, RefusesTargetsBeforeTheEndOfTheBackup) {
  RestoreRequest asked = request();
  asked.target.time = "2020-01-01 00:00:00+00:00";
  EXPECT_EQ(refusal_of(facts(), asked),
            "The requested target time 2020-01-01 00:00:00+00:00 is before the backup end time "
            "2026-11-21 01:42:52+00:00");
  asked = request();
  asked.target.lsn = "0/3000000";
  EXPECT_THAT(refusal_of(facts(), asked), HasSubstr("is before the backup end LSN"));
}

TEST(BuildPlan, ARefusedTargetTellsOfTheOtherMomentThatTheClockShowed) {
  RecoveryTarget target;
  target.time = parse_timestamp("2020-01-01 00:00:00+00:00").value().time;
  target.zone_doubt = "Shown twice: for the second one give X.";
  try {
    refuse_impossible_target(target, facts().backup);
    ADD_FAILURE() << "nothing was refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.hint(),
              "Shown twice: for the second one give X. Choose an older backup, or let 'auto' "
              "choose it.");
  }
}

TEST(BuildPlan, RefusesWhatPostgresCouldNotRead) {
  RestoreRequest asked = request();
  asked.target.lsn = "zzz";
  EXPECT_EQ(refusal_of(facts(), asked), "Invalid LSN: 'zzz'");
  asked.target = {.time = "notatime"};
  EXPECT_THAT(refusal_of(facts(), asked),
              HasSubstr("Unable to parse the target time parameter 'notatime': "));
  asked.target = {.xid = "12x"};
  EXPECT_THAT(refusal_of(facts(), asked), HasSubstr("Invalid transaction ID"));
  asked.target = {.name = std::string(64, 'x')};
  EXPECT_THAT(refusal_of(facts(), asked), HasSubstr("Invalid restore point name"));
  asked.target = {.timeline = wal::parse_timeline_target("2")};
  EXPECT_THAT(refusal_of(facts(), asked), HasSubstr("00000002.history"));
  asked.target = {.action = "pause"};
  EXPECT_EQ(refusal_of(facts(), asked),
            "Can't enable recovery target action when PITR is not required");
}

TEST(BuildPlan, RefusesAnLsnBehindTheArchivedWal) {
  RestoreRequest asked = request();
  asked.target.lsn = "0/6000100";
  EXPECT_THAT(refusal_of(facts(), asked), HasSubstr("lies behind the archived WAL"));
  // get-wal fetches from the same archive.
  asked.get_wal = true;
  EXPECT_THAT(refusal_of(facts(), asked), HasSubstr("lies behind the archived WAL"));
  asked.skip_wal_check = true;
  EXPECT_EQ(refusal_of(facts(), asked), "");
}

TEST(BuildPlan, RefusesABackupWhoseOwnWalIsMissing) {
  RestoreFacts given = facts();
  given.wal.erase(given.wal.begin() + 1);
  EXPECT_THAT(refusal_of(given, request()), HasSubstr("'000000010000000000000003'"));
  RestoreRequest fetching = request();
  fetching.get_wal = true;
  EXPECT_THAT(refusal_of(given, fetching), HasSubstr("'000000010000000000000003'"));
  fetching.skip_wal_check = true;
  EXPECT_EQ(refusal_of(given, fetching), "");
  given.backup.status = catalogue::BackupStatus::waiting_for_wals;
  const RestorePlan plan = plan_of(given, request());
  EXPECT_THAT(plan.warnings[0], HasSubstr("IMPORTANT: You have requested"));
  EXPECT_THAT(plan.warnings_after_copy[0], HasSubstr("IS NOT VALID"));
}

TEST(BuildPlan, WarnsAboutGapsBehindTheBackup) {
  RestoreFacts given = facts();
  given.wal.erase(given.wal.begin() + 2);
  EXPECT_THAT(plan_of(given, request()).warnings,
              ElementsAre(HasSubstr("'000000010000000000000004'")));
  RestoreRequest fetching = request();
  fetching.get_wal = true;
  EXPECT_THAT(plan_of(given, fetching).warnings,
              testing::Contains(HasSubstr("'000000010000000000000004'")));
}

TEST(BuildPlan, RefusesEncryptedWalWithoutPassphrase) {
  RestoreFacts given = facts();
  given.wal[0].encryption = "gpg";
  EXPECT_THAT(refusal_of(given, request()), HasSubstr("no 'encryption_passphrase_command'"));
  config::ServerConfig config;
  config.encryption_passphrase_command = "echo secret";
  given.wal_coding = wal_archive::WalCoding(config);
  EXPECT_EQ(refusal_of(given, request()), "");
}

TEST(BuildPlan, RefusesUnsafePlaces) {
  RestoreFacts given = facts();
  given.destination.is_empty = false;
  EXPECT_THAT(refusal_of(given, request()),
              HasSubstr("because the destination folder '/srv/pg' is not empty."));
  given.destination.running_postmaster = 77;
  EXPECT_THAT(refusal_of(given, request()), HasSubstr("pid 77"));
  given = facts();
  given.destination.resolved = "/barman/main/base/x";
  EXPECT_THAT(refusal_of(given, request()), HasSubstr("overlaps the backup catalogue"));
  given = facts();
  given.tablespace_targets["tbs1"].resolved = "/srv/pg/base/tbs";
  EXPECT_THAT(refusal_of(given, request()), HasSubstr("one inside the other"));
  given = facts();
  given.tablespace_targets["tbs1"].is_empty = false;
  EXPECT_THAT(
      refusal_of(given, request()),
      HasSubstr("The destination path '/old/tbs1' for the tablespace 'tbs1' is not empty."));
  given = facts();
  given.destination.available_bytes = 10;
  EXPECT_THAT(refusal_of(given, request()), HasSubstr("Not enough free space"));
  given = facts();
  given.destination.is_writable = false;
  EXPECT_THAT(refusal_of(given, request()), HasSubstr("cannot be written"));
}

TEST(BuildPlan, RefusesADamagedBackup) {
  RestoreFacts given = facts();
  given.scan.problems = {"\"base/1/1259\" is missing"};
  EXPECT_THAT(refusal_of(given, request()), HasSubstr("\"base/1/1259\" is missing"));
}

TEST(BuildPlan, TellsThatTheArchiveGoesOnElsewhere) {
  RestoreFacts given = facts();
  given.timelines.histories[wal::TimelineId{2}] = {
      wal::TimelineId{2}, {{wal::TimelineId{1}, wal::Lsn{5 * kSegmentBytes}, ""}}};
  given.timelines.last_segments[wal::TimelineId{2}] = "000000020000000000000005";
  EXPECT_THAT(plan_of(given, request()).warnings, ElementsAre(HasSubstr("--target-tli latest")));
}

// Timeline 2 begins in segment 5 of timeline 1.
RestoreFacts forked_facts() {
  RestoreFacts given = facts();
  given.timelines.histories[wal::TimelineId{2}] = {
      wal::TimelineId{2}, {{wal::TimelineId{1}, wal::Lsn{5 * kSegmentBytes + 8}, ""}}};
  given.timelines.last_segments[wal::TimelineId{2}] = "000000020000000000000006";
  given.timelines.newest_archived = wal::TimelineId{2};
  given.wal.insert(given.wal.begin(), {.name = "00000002.history", .size_bytes = 40});
  given.wal.push_back({.name = "000000020000000000000006", .size_bytes = kSegmentBytes});
  return given;
}

TEST(BuildPlan, TellsOfNewestWalThatNobodyCanPlace) {
  RestoreFacts given = forked_facts();
  given.timelines.histories.erase(wal::TimelineId{2});
  const std::string text =
      "The newest WAL in the archive is of timeline 2, and whether it continues";
  EXPECT_THAT(plan_of(given, request()).warnings, Contains(HasSubstr(text)));
  RestoreRequest asked = request();
  asked.target.timeline = wal::TimelineTarget{.kind = wal::TimelineTarget::Kind::latest};
  EXPECT_THAT(plan_of(given, asked).warnings, Contains(HasSubstr(text)));
  asked.target.timeline->kind = wal::TimelineTarget::Kind::current;
  EXPECT_THAT(plan_of(given, asked).warnings, Not(Contains(HasSubstr(text))));
}

TEST(BuildPlan, TellsThatExclusiveIsInVain) {
  RestoreRequest asked = request();
  asked.target.immediate = true;
  asked.target.exclusive = true;
  EXPECT_THAT(plan_of(facts(), asked).warnings,
              ElementsAre(HasSubstr("--exclusive has no effect")));
}

TEST(BuildPlan, RefusesATimelineThatRecoveryDoesNotComeTo) {
  RestoreFacts given = forked_facts();
  RestoreRequest asked = request();
  asked.target = {.timeline = wal::parse_timeline_target("2")};
  const std::string reason =
      "WAL segment '000000020000000000000005' is not in the archive: recovery does not come to "
      "timeline 2";
  EXPECT_EQ(refusal_of(given, asked), reason);
  // The target may lie before the fork, or does.
  asked.target.time = "2026-11-21 01:50:00+00:00";
  EXPECT_THAT(plan_of(given, asked).warnings, testing::Contains(reason + "."));
  asked.target = {.lsn = "0/30FFFFF", .timeline = wal::parse_timeline_target("2")};
  EXPECT_EQ(refusal_of(given, asked), "");
  given.wal.push_back({.name = "000000020000000000000005", .size_bytes = kSegmentBytes});
  asked.target = {.timeline = wal::parse_timeline_target("2")};
  EXPECT_EQ(refusal_of(given, asked), "");
}

TEST(BuildPlan, HidesADamagedHistoryOfItsOwnTimelineOnly) {
  RestoreFacts given = facts();
  given.backup.timeline = wal::TimelineId{2};
  given.backup.begin_wal = "000000020000000000000002";
  given.backup.end_wal = "000000020000000000000003";
  for (wal_archive::WalIndexEntry& entry : given.wal) entry.name[7] = '2';
  for (const std::uint32_t timeline : {2U, 3U}) {
    const std::string name = wal::history_file_name(wal::TimelineId{timeline});
    given.wal.insert(given.wal.begin(), {.name = name, .size_bytes = 40});
    given.timelines.damaged[wal::TimelineId{timeline}] = name + " is garbage";
  }
  given.timelines.newest_archived = wal::TimelineId{2};
  given.timelines.last_segments = {{wal::TimelineId{2}, "000000020000000000000005"}};
  RestoreRequest asked = request();
  asked.target = {.immediate = true};
  const RestorePlan plan = plan_of(given, asked);
  EXPECT_EQ(plan.wal.files.front().name, "00000003.history");
  EXPECT_EQ(plan.wal.files.at(1).name, "000000020000000000000002");
  EXPECT_THAT(plan.warnings, testing::Contains(HasSubstr("00000002.history is garbage")));
  EXPECT_THAT(plan.recovery.settings, HasSubstr("recovery_target_timeline = current\n"));
  asked.get_wal = true;
  EXPECT_EQ(refusal_of(given, asked), "00000002.history is garbage");
}

std::string request_refusal(const RestoreRequest& asked, catalogue::BackupInfo backup) {
  config::ServerConfig config;
  config.name = "main";
  return refusal([&] { check_request(asked, backup, config); });
}

TEST(CheckRequest, FollowsTheOrderOfBarman) {
  RestoreRequest asked = request();
  asked.destination = "host:/srv";
  asked.tablespace_rules = {"tbs9:/x", "tbs9"};
  asked.staging.staging_path = "relative";
  catalogue::BackupInfo backup = facts().backup;
  backup.status = catalogue::BackupStatus::failed;
  EXPECT_EQ(request_refusal(asked, backup),
            "Cannot parse staging path: Invalid value : 'relative' (must be an absolute path)");
  asked.staging.staging_path.reset();
  EXPECT_EQ(request_refusal(asked, backup),
            "Cannot restore from backup 'latest' of server 'main': backup status is not DONE");
  backup.status = catalogue::BackupStatus::done;
  EXPECT_EQ(request_refusal(asked, backup), "Invalid tablespace relocation rule 'tbs9'");
  asked.tablespace_rules.pop_back();
  EXPECT_EQ(request_refusal(asked, backup), "Invalid tablespace name 'tbs9'");
  asked.tablespace_rules.clear();
  EXPECT_EQ(request_refusal(asked, backup),
            "The destination directory parameter cannot contain the ':' character");
  asked.destination = "relative";
  EXPECT_THAT(request_refusal(asked, backup), HasSubstr("is not an absolute path"));
}

TEST(CheckRequest, RefusesRelativeLocationsOfTablespaces) {
  RestoreRequest asked = request();
  catalogue::BackupInfo backup = facts().backup;
  backup.tablespaces = {{.name = "tbs1", .oid = 16387, .location = "/srv/tbs1"}};
  asked.tablespace_rules = {"tbs1:./rel"};
  EXPECT_EQ(request_refusal(asked, backup),
            "The location './rel' of tablespace 'tbs1' is not an absolute path");
}

TEST(CheckRequest, AcceptsADirectoryOfAnotherHostThatHasFiles) {
  RestoreRequest asked = request();
  asked.remote_ssh_command = "ssh x";
  EXPECT_EQ(request_refusal(asked, facts().backup), "");
  asked.resume = true;
  EXPECT_EQ(request_refusal(asked, facts().backup), "");
  asked.resume = false;
  asked.delta_restore = true;
  EXPECT_EQ(request_refusal(asked, facts().backup), "");
}

TEST(CheckRequest, SplitsRulesAtTheFirstColon) {
  RestoreRequest asked = request();
  asked.tablespace_rules = {"tbs1:/a:b"};
  config::ServerConfig config;
  EXPECT_THAT(check_request(asked, facts().backup, config),
              ElementsAre(testing::Pair("tbs1", "/a:b")));
}

}  // namespace
}  // namespace barman::restore
