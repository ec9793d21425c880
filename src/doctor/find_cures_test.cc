#include "doctor/find_cures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>

#include "base/fd.h"
#include "postgres/versions.h"

namespace barman::doctor {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

Site reached_site() {
  return {.server = "main",
          .user = "barman",
          .host_name = "backup",
          .own_address = "192.0.2.10",
          .configuration_file = "/etc/barman.conf",
          .log_file = "/var/log/barman/barman.log",
          .conninfo = "host=pg",
          .role = "barman",
          .streaming_role = "streaming_barman",
          .database = "postgres",
          .database_host = "pg",
          .ssh_command = "ssh -p 2222 postgres@pg",
          .slot_name = "barman",
          .streams = true,
          .is_reached = true,
          .version = postgres::kVersion17};
}

check::CheckResult failure_of(std::string label, std::string hint = "why") {
  return {.label = std::move(label), .hint = std::move(hint)};
}

std::vector<Cure> cures_of(const std::string& label, const std::string& hint, const Site& site) {
  return find_cures({failure_of(label, hint)}, site);
}

// Labels that are literals in the sources of check/.
std::set<std::string> labels_of_checks() {
  std::set<std::string> labels;
  const std::filesystem::path directory = std::filesystem::path(BARMAN_SOURCE_DIR) / "src/check";
  const std::regex pattern(
      R"re((?:fail(?:_uncritically)?\(\s*|[lL]abel = |kLabel = |\.label = )"([^"]+)")re");
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() != ".cc" || entry.path().string().ends_with("_test.cc")) continue;
    const std::string text = read_file(entry.path());
    for (auto it = std::sregex_iterator(text.begin(), text.end(), pattern);
         it != std::sregex_iterator(); ++it)
      labels.insert((*it)[1]);
  }
  return labels;
}

TEST(FindCures, EveryCheckHasOne) {
  std::set<std::string> labels = labels_of_checks();
  EXPECT_GT(labels.size(), 25U);
  // Those that are put together.
  labels.insert({"incoming WALs directory", "streaming WALs directory", "empty incoming directory",
                 "empty streaming directory", "pg_basebackup compatible",
                 "pg_receivexlog compatible", "last run of sync-wals",
                 "replication slot (WAL streaming)", "wal_level (WAL streaming)"});
  for (const std::string& label : labels) {
    // One never fails; these are beginnings.
    if (label == "wal size" || label.ends_with(' ')) continue;
    EXPECT_TRUE(has_cures(label)) << label << ": no line in the table of find_cures.cc";
  }
}

TEST(FindCures, EveryCureHasACauseAndSomethingToPaste) {
  for (const std::string_view label : known_labels()) {
    const std::vector<Cure> cures = cures_of(std::string(label), "why", reached_site());
    EXPECT_THAT(cures, Not(IsEmpty())) << label;
    for (const Cure& cure : cures) {
      EXPECT_NE(cure.cause, "") << label;
      EXPECT_THAT(cure.lines, Not(IsEmpty())) << label;
      EXPECT_THAT(cure.checks, ElementsAre(std::string(label)));
    }
  }
  EXPECT_THAT(cures_of("something new", "why", reached_site()).at(0).lines,
              Contains(HasSubstr("barman.log")));
  Site without_log = reached_site();
  without_log.log_file.clear();
  EXPECT_THAT(cures_of("something new", "why", without_log).at(0).lines,
              ElementsAre("barman --log-level DEBUG check main"));
}

TEST(FindCures, NamesOfOtherServersAndSuffixesDoNotMatter) {
  Site site = reached_site();
  site.slot = SlotState::missing;
  const std::vector<Cure> cures = cures_of("replication slot (WAL streaming)", "no slot", site);
  ASSERT_THAT(cures, SizeIs(2));
  EXPECT_EQ(cures.at(0).action, Action::create_slot);
  EXPECT_THAT(cures.at(0).lines, ElementsAre("barman receive-wal --create-slot main"));
  EXPECT_EQ(cures.at(1).action, Action::start_receiver);
}

TEST(FindCures, WhatDependsOnTheConnectionWaitsForIt) {
  Site site = reached_site();
  site.is_reached = false;
  check::CheckResult down = failure_of("PostgreSQL");
  down.connect_problem = postgres::ConnectProblem{
      .cause = postgres::ConnectCause::refused, .host = "pg", .port = "5432", .user = "barman"};
  const std::vector<Cure> cures =
      find_cures({down, failure_of("replication slot"), failure_of("WAL archive")}, site);
  ASSERT_THAT(cures, SizeIs(1));
  EXPECT_EQ(cures.front().place, CurePlace::database_host);
  EXPECT_THAT(cures.front().lines, Contains(HasSubstr("listen_addresses")));
  EXPECT_THAT(cures.front().lines, Contains(HasSubstr("ufw allow from 192.0.2.10")));
}

TEST(FindCures, EveryCauseOfAFailedConnectionHasOne) {
  using postgres::ConnectCause;
  for (int number = 0; number <= static_cast<int>(ConnectCause::other); ++number) {
    check::CheckResult down = failure_of("PostgreSQL");
    down.connect_problem = postgres::ConnectProblem{.cause = static_cast<ConnectCause>(number),
                                                    .message = "message",
                                                    .host = "pg",
                                                    .user = "barman"};
    const std::vector<Cure> cures = find_cures({down}, reached_site());
    ASSERT_THAT(cures, Not(IsEmpty())) << number;
    EXPECT_NE(cures.front().cause, "") << number;
    EXPECT_THAT(cures.front().lines, Not(IsEmpty())) << number;
  }
}

// With more WAL senders alone PostgreSQL would not start again.
TEST(FindCures, WalSendersAndTheLevelGoTogether) {
  Site site = reached_site();
  site.wal_level = "minimal";
  check::CheckResult streaming = failure_of("PostgreSQL streaming");
  streaming.connect_problem =
      postgres::ConnectProblem{.cause = postgres::ConnectCause::wal_senders,
                               .message = "exceeds max_wal_senders (currently 0)"};
  const std::vector<Cure> cures =
      find_cures({streaming, failure_of("wal_level", "a higher level than 'minimal'")}, site);
  ASSERT_THAT(cures, SizeIs(1));
  EXPECT_THAT(cures.front().lines, ElementsAre("ALTER SYSTEM SET wal_level = replica;",
                                               "ALTER SYSTEM SET max_wal_senders = 10;"));
  // Nobody has told the level: psql asks for it.
  site.wal_level = "";
  EXPECT_THAT(find_cures({streaming}, site).at(0).lines, Contains("\\if :is_minimal"));
  site.wal_level = "logical";
  EXPECT_THAT(find_cures({streaming}, site).at(0).lines,
              ElementsAre("ALTER SYSTEM SET max_wal_senders = 10;"));
}

TEST(FindCures, TheSlotComesBeforeItsReceiverAndThatBeforeWal) {
  Site site = reached_site();
  site.slot = SlotState::missing;
  const std::vector<Cure> cures =
      find_cures({failure_of("WAL archive"), failure_of("replication slot"),
                  failure_of("receive-wal running")},
                 site);
  ASSERT_THAT(cures, SizeIs(3));
  EXPECT_EQ(cures.at(0).action, Action::create_slot);
  EXPECT_EQ(cures.at(1).action, Action::start_receiver);
  EXPECT_THAT(cures.at(2).lines, ElementsAre("barman switch-wal --force --archive main"));
}

TEST(FindCures, TheReasonOfAReceiverThatHasEndedIsToldNotOnlyItsIdleSlot) {
  Site site = reached_site();
  site.slot = SlotState::idle;
  const check::CheckResult receiver =
      failure_of("receive-wal running", "its process has ended: No space left on device");
  const std::vector<Cure> cures = find_cures({failure_of("replication slot"), receiver}, site);
  ASSERT_THAT(cures, SizeIs(1));
  EXPECT_EQ(cures.front().cause, receiver.hint);
}

TEST(FindCures, ADeadExclusiveBackupIsEndedInPsql) {
  const std::vector<Cure> cures =
      cures_of("exclusive backup", "still in the backup mode", reached_site());
  ASSERT_THAT(cures, SizeIs(1));
  EXPECT_EQ(cures.front().place, CurePlace::psql);
  EXPECT_THAT(cures.front().lines, ElementsAre("SELECT pg_stop_backup(true, false);"));
}

TEST(FindCures, OneCureForSeveralChecks) {
  Site site = reached_site();
  site.missing_grants = {"GRANT pg_read_all_stats TO barman;"};
  const std::vector<Cure> cures = find_cures({failure_of("no access to backup functions"),
                                              failure_of("no access to monitoring functions")},
                                             site);
  ASSERT_THAT(cures, SizeIs(1));
  EXPECT_THAT(cures.front().checks,
              ElementsAre("no access to backup functions", "no access to monitoring functions"));
  EXPECT_EQ(cures.front().lines, site.missing_grants);
}

TEST(FindCures, AFailingArchiveCommandIsToldWithSinceWhenHowOftenAndHowMuchWaits) {
  Site site = reached_site();
  site.archiver =
      postgres::ArchiverStatistics{.archived_count = 7,
                                   .last_archived_wal = "000000010000000000000007",
                                   .last_archived_time = Timestamp{.microseconds = 0},
                                   .failed_count = 12,
                                   .last_failed_wal = "000000010000000000000008",
                                   .last_failed_time = Timestamp{.microseconds = 60'000'000},
                                   .stats_reset = std::nullopt,
                                   .is_archiving = false,
                                   .current_archived_wals_per_second = std::nullopt};
  std::vector<Cure> cures = cures_of("continuous archiving", "", site);
  ASSERT_THAT(cures, SizeIs(2));
  EXPECT_THAT(cures.front().cause, HasSubstr("since 1970-01-01 00:00:00+00:00; 12 attempts"));
  EXPECT_THAT(cures.front().cause, HasSubstr("1970-01-01 00:01:00+00:00 for "));
  EXPECT_THAT(cures.back().lines, Contains(HasSubstr("pg_ls_archive_statusdir() TO barman;")));
  site.waiting_wal = 31;
  cures = cures_of("continuous archiving", "", site);
  ASSERT_THAT(cures, SizeIs(1));
  EXPECT_THAT(cures.front().cause, HasSubstr("31 files wait"));
  EXPECT_THAT(cures.front().lines, Contains(HasSubstr("barman-wal-archive --test backup main x")));
}

TEST(FindCures, AnotherClusterIsFollowedByOneCommand) {
  Site site = reached_site();
  site.stored_system_id = "1";
  site.system_id = "2";
  const auto find = [&] {
    return cures_of("systemid coherence", "the system Id of the connected server changed", site);
  };
  const std::vector<Cure> cures = find();
  ASSERT_THAT(cures, SizeIs(2));
  EXPECT_THAT(cures.front().lines, Contains("barman follow-upgrade main"));
  EXPECT_THAT(cures.front().lines, Contains(HasSubstr("correct it, and nothing else")));
  EXPECT_THAT(cures.back().lines, Contains("barman backup --wait main"));
  // What it brings by itself, and must not be made on a wrong cluster.
  EXPECT_THAT(cures_of("replication slot", "it does not exist", site), IsEmpty());
  site.is_in_object_storage = true;
  EXPECT_THAT(find().front().lines, Contains("[main-17]"));
  EXPECT_THAT(find().front().lines, Contains("active = false"));
}

TEST(FindCures, FailedBackupsAreNamedWithTheCommand) {
  Site site = reached_site();
  site.failed_backups = {{.id = "20261130T010000", .reason = "disk full"},
                         {.id = "20261130T020000", .reason = ""}};
  EXPECT_THAT(cures_of("failed backups", "there are 2 failed backups", site).at(0).lines,
              ElementsAre("barman delete main 20261130T010000   # disk full",
                          "barman delete main 20261130T020000"));
}

TEST(FindCures, TheKeyGoesWhereTheSshCommandLeads) {
  EXPECT_THAT(cures_of("ssh", "Connection failed", reached_site()).at(0).lines,
              Contains("ssh-copy-id -p 2222 postgres@pg"));
}

TEST(FindCures, SshSaysItselfWhatIsWrong) {
  const Site site = reached_site();
  const Cure changed =
      cures_of(
          "ssh",
          "Connection failed using 'ssh': @@@ REMOTE HOST IDENTIFICATION HAS CHANGED! Offending "
          "ED25519 key in /home/b/.ssh/known_hosts:3 remove with: ssh-keygen Host key for "
          "[pg]:2222 has changed and you have requested strict checking. Host key verification "
          "failed.",
          site)
          .at(0);
  EXPECT_THAT(changed.cause, HasSubstr("[pg]:2222 has another host key than the known one"));
  EXPECT_THAT(changed.lines, Contains(HasSubstr("ssh-keyscan -p 2222 'pg' ")));
  EXPECT_THAT(changed.lines, Contains("ssh-keygen -f '/home/b/.ssh/known_hosts' -R '[pg]:2222'"));
  EXPECT_THAT(changed.lines,
              Contains("ssh -o StrictHostKeyChecking=accept-new -p 2222 postgres@pg true"));
  const Cure unknown =
      cures_of("ssh",
               "No ED25519 host key is known for pg and you have requested strict checking. "
               "Host key verification failed.",
               site)
          .at(0);
  EXPECT_THAT(unknown.cause, HasSubstr("the host key of pg is not known here"));
  EXPECT_THAT(unknown.lines, Not(Contains(HasSubstr("-R"))));
  EXPECT_EQ(
      cures_of("ssh", "ssh: connect to host pg port 22: Connection refused", site).at(0).place,
      CurePlace::database_host);
}

TEST(FindAdvice, IsNoCureAndStandsInTheScript) {
  Site site = reached_site();
  EXPECT_THAT(find_advice(site), IsEmpty());
  site.unread_files = {"/etc/postgresql/17/main/postgresql.conf"};
  site.missing_file_grants = {"GRANT pg_read_server_files TO barman;"};
  const std::vector<Cure> advice = find_advice(site);
  ASSERT_THAT(advice, SizeIs(1));
  EXPECT_THAT(advice.front().cause, HasSubstr("/etc/postgresql/17/main/postgresql.conf"));
  EXPECT_THAT(sql_script(advice, site), Contains("GRANT pg_read_server_files TO barman;"));
}

TEST(FindAdvice, SaysThatTheDiskIsFullSoon) {
  Site site = reached_site();
  site.disk = facts::DiskSpace{.space = {.total_bytes = 100, .free_bytes = 10}, .bytes_a_day = 5};
  ASSERT_THAT(find_advice(site), SizeIs(1));
  EXPECT_THAT(find_advice(site).front().lines, Contains("barman list-backups main"));
  site.disk->bytes_a_day = 0.1;
  EXPECT_THAT(find_advice(site), IsEmpty());
}

TEST(SqlScript, HasTheRolesWhenNobodyWasLetIn) {
  Site site = reached_site();
  site.is_reached = false;
  check::CheckResult down = failure_of("PostgreSQL");
  down.connect_problem =
      postgres::ConnectProblem{.cause = postgres::ConnectCause::role_missing, .user = "barman"};
  const std::vector<std::string> script = sql_script(find_cures({down}, site), site);
  EXPECT_THAT(script, Contains("CREATE ROLE barman LOGIN;"));
  EXPECT_EQ(std::count(script.begin(), script.end(), "CREATE ROLE barman LOGIN;"), 1);
  // No password in it, and nothing that waits for one.
  for (const std::string& line : script) EXPECT_FALSE(line.starts_with("\\password")) << line;
}

TEST(SqlScript, TellsTheReloadAndTheRestart) {
  Site site = reached_site();
  const std::vector<std::string> script =
      sql_script(find_cures({failure_of("wal_level", "higher level than 'minimal'")}, site), site);
  EXPECT_THAT(script, Contains("ALTER SYSTEM SET wal_level = replica;"));
  EXPECT_THAT(script, Contains("SELECT pg_reload_conf();"));
  EXPECT_THAT(script.back(), HasSubstr("restart PostgreSQL"));
}

}  // namespace
}  // namespace barman::doctor
