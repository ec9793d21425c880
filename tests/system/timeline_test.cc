// Timelines: WAL streaming goes on when the standby it streams from is promoted, and a cluster that
// was restored and promoted becomes the next one to back up; every timeline stays restorable.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/barman_home.h"
#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/postgres_server.h"
#include "support/standby.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"
#include "support/writer.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;
using testing::StartsWith;

std::string run_silently(BarmanHome& barman, const std::vector<std::string>& arguments) {
  const CommandResult result = barman.run(arguments);
  EXPECT_EQ(result.exit_code, 0) << testing::PrintToString(arguments) << "\n" << result.out;
  EXPECT_EQ(result.err, "") << testing::PrintToString(arguments);
  return result.out;
}

void add_mark(const PostgresServer& postgres, const std::string& mark) {
  postgres.query("INSERT INTO marks VALUES ('" + mark + "')");
}

std::string now_of(const PostgresServer& postgres) {
  return postgres.value(
      "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || "
      "'+00:00'");
}

// The marks in a restore, once its recovery is over.
Rows restored_marks(BarmanHome& barman, const std::vector<std::string>& options,
                    const std::string& backup, int major) {
  const TempDir place;
  const fs::path destination = place.path() / "data";
  std::vector<std::string> arguments{"restore"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  arguments.insert(arguments.end(), {"main", backup, destination.string()});
  run_silently(barman, arguments);
  PostgresServer restored({.major = major, .data_directory = destination});
  restored.wait_until_primary();
  return sorted_rows(restored, "marks");
}

// The primary is lost, and its standby is promoted, which had not received all that barman has.
TEST(Streaming, GoesOnWithAPrimaryThatLacksWhatWasReceived) {
  StreamingSite site;
  site.start_receiver();
  site.postgres.query("CREATE TABLE marks (mark text)");
  site.archive_a_segment();
  site.postgres.stop();
  const TempDir place;
  const fs::path behind = place.path() / "behind";
  const fs::path data = site.postgres.data_directory();
  run_checked({.argv = {"cp", "-a", data.string(), behind.string()}});
  site.postgres.start();
  for (const char* const mark : {"lost 1", "lost 2", "lost 3"}) {
    add_mark(site.postgres, mark);
    site.archive_a_segment();
  }
  add_mark(site.postgres, "lost 4");
  site.wait_until_acknowledged(site.postgres.value("SELECT pg_current_wal_flush_lsn()"));
  site.postgres.kill_9();
  fs::remove_all(data);
  run_checked({.argv = {"cp", "-a", behind.string(), data.string()}});
  write_text(data / "standby.signal", "");
  site.postgres.start();
  site.postgres.promote();
  add_mark(site.postgres, "kept");
  site.archive_a_segment();
  EXPECT_THAT(site.barman.log(), HasSubstr("the server has left timeline 1 at"));
  // Also when it begins anew, with the old files still there.
  site.stop_receiver();
  site.start_receiver();
  const std::string id = site.take_backup();
  add_mark(site.postgres, "kept, too");
  site.archive_a_segment();
  EXPECT_EQ(restored_marks(site.barman, {}, id, kUsualMajor),
            (Rows{Row{"kept"}, Row{"kept, too"}}));
}

TEST(Streaming, GoesOnOverThePromotionOfItsStandby) {
  PostgresServer primary;
  primary.query("CREATE TABLE marks (mark text)");
  const TempDir place;
  clone_as_standby(primary, place.path() / "standby");
  PostgresServer standby({.data_directory = place.path() / "standby"});
  BarmanHome barman;
  barman.add_streaming_server("main", standby, {{"primary_conninfo", primary.conninfo("barman")}});
  run_silently(barman, {"receive-wal", "--create-slot", "main"});
  BackgroundCommand receiver = barman.spawn_receiver("main", standby);
  make_restart_point(primary, standby);
  run_silently(barman, {"backup", "--wait", "main"});
  const std::string first_backup = barman.backup_ids("main").at(0);
  add_mark(primary, "on timeline 1");
  standby.wait_until("EXISTS (SELECT FROM marks WHERE mark = 'on timeline 1')");

  primary.stop();
  standby.promote();
  barman.set("main", "primary_conninfo", "");
  add_mark(standby, "on timeline 2");

  const std::string switched = run_silently(barman, {"switch-wal", "--force", "--archive", "main"});
  EXPECT_THAT(switched, HasSubstr("00000002.history"));
  EXPECT_TRUE(receiver.is_running()) << receiver.err();
  EXPECT_EQ(read_text(archived_wal(barman, "main", "00000002.history")),
            read_text(standby.data_directory() / "pg_wal" / "00000002.history"));
  EXPECT_EQ(standby.value("SELECT timeline_id FROM pg_control_checkpoint()"), "2");

  run_silently(barman, {"backup", "--wait", "main"});
  const std::string second_backup = barman.backup_ids("main").at(1);
  EXPECT_EQ(read_backup_info(barman, "main", second_backup).at("timeline"), "2");
  EXPECT_THAT(run_silently(barman, {"check-backup", "main", first_backup}), "");

  const Rows on_first{{"on timeline 1"}};
  const Rows on_both{{"on timeline 1"}, {"on timeline 2"}};
  EXPECT_EQ(restored_marks(barman, {"--target-tli", "2"}, first_backup, kUsualMajor), on_both);
  EXPECT_EQ(restored_marks(barman, {"--target-tli", "latest"}, first_backup, kUsualMajor), on_both);
  EXPECT_EQ(restored_marks(barman, {}, second_backup, kUsualMajor), on_both);
}

// Archives by archive_command, as a restored cluster does as soon as its owner says so.
class ArchivingStory : public testing::TestWithParam<int> {
 protected:
  ArchivingStory() : primary_({.major = GetParam(), .settings = archive_settings()}) {
    primary_.query("CREATE TABLE marks (mark text)");
    add_server(primary_);
  }

  std::map<std::string, std::string> archive_settings() const {
    return {{"archive_mode", "on"}, {"archive_command", archive_command()}};
  }

  std::string archive_command() const {
    const std::string file = (barman_.server_directory("main") / "incoming").string() + "/%f";
    return "cp %p " + file + ".tmp && mv " + file + ".tmp " + file;
  }

  void add_server(const PostgresServer& postgres) {
    fs::create_directories(barman_.server_directory("main") / "incoming");
    barman_.add_streaming_server(
        "main", postgres, {{"archiver", "on"}, {"streaming_archiver", ""}, {"slot_name", ""}});
  }

  void archive(const PostgresServer& postgres) {
    const std::string wal = postgres.value("SELECT pg_walfile_name(pg_switch_wal())");
    const fs::path file = archived_wal(barman_, "main", wal);
    EXPECT_TRUE(eventually([&] {
      run_silently(barman_, {"archive-wal", "main"});
      return fs::exists(file);
    })) << file;
  }

  std::string back_up() {
    run_silently(barman_, {"backup", "--wait", "main"});
    return barman_.backup_ids("main").back();
  }

  // A cluster restored to the restore point, promoted, and archiving to the same place.
  void fork_from(const std::string& backup) {
    run_silently(barman_, {"restore", "--target-name", "fork", "--target-action", "promote", "main",
                           backup, (place_.path() / "fork").string()});
    fork_.emplace(PostgresOptions{.major = GetParam(), .data_directory = place_.path() / "fork"});
    fork_->wait_until_primary();
    fork_->query("ALTER SYSTEM SET archive_command = '" + archive_command() + "'");
    fork_->query("SELECT pg_reload_conf()");
  }

  Rows marks_of(const std::vector<std::string>& options, const std::string& backup) {
    return restored_marks(barman_, options, backup, GetParam());
  }

  // The ID that `restore ... auto` takes.
  std::string chosen(const std::vector<std::string>& options) {
    const TempDir place;
    std::vector<std::string> arguments{"restore"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    arguments.insert(arguments.end(), {"main", "auto", (place.path() / "data").string()});
    const std::string out = run_silently(barman_, arguments);
    const std::string before = "using backup ";
    return out.substr(out.find(before) + before.size(), 15);
  }

  BarmanHome barman_;
  PostgresServer primary_;
  TempDir place_;
  std::optional<PostgresServer> fork_;
};
INSTANTIATE_TEST_SUITE_P(Timelines, ArchivingStory, testing::Values(13, kUsualMajor),
                         testing::PrintToStringParamName());

TEST_P(ArchivingStory, KeepsEveryTimelineRestorable) {
  const std::string first = back_up();
  add_mark(primary_, "before the fork");
  primary_.query("SELECT pg_create_restore_point('fork')");
  add_mark(primary_, "after the fork");
  const std::string on_timeline_1 = now_of(primary_);
  const std::string position_on_timeline_1 = primary_.value("SELECT pg_current_wal_lsn()");
  archive(primary_);
  primary_.stop();

  fork_from(first);
  add_server(*fork_);
  add_mark(*fork_, "on timeline 2");
  archive(*fork_);
  EXPECT_TRUE(fs::exists(archived_wal(barman_, "main", "00000002.history")));
  const std::string second = back_up();
  // PostgreSQL reaches a time only with a transaction after it.
  const std::string on_timeline_2 = now_of(*fork_);
  add_mark(*fork_, "after the second backup");
  archive(*fork_);

  const Rows old_branch{{"after the fork"}, {"before the fork"}};
  const Rows new_branch{{"after the second backup"}, {"before the fork"}, {"on timeline 2"}};
  EXPECT_EQ(marks_of({"--target-tli", "1"}, first), old_branch);
  EXPECT_EQ(marks_of({"--target-tli", "current"}, first), old_branch);
  EXPECT_EQ(marks_of({"--target-tli", "2"}, first), new_branch);
  EXPECT_EQ(marks_of({"--target-tli", "latest"}, first), new_branch);
  EXPECT_EQ(marks_of({}, second), new_branch);
  EXPECT_EQ(marks_of({"--target-name", "fork", "--target-action", "promote"}, first),
            (Rows{{"before the fork"}}));

  EXPECT_EQ(chosen({}), second);
  EXPECT_EQ(chosen({"--target-time", on_timeline_1}), first);
  EXPECT_EQ(chosen({"--target-lsn", position_on_timeline_1, "--target-tli", "1"}), first);
  EXPECT_EQ(chosen({"--target-tli", "1"}), first);
  EXPECT_EQ(chosen({"--target-tli", "2"}), second);
  EXPECT_EQ(chosen({"--target-time", on_timeline_2}), second);

  EXPECT_THAT(run_silently(barman_, {"show-backup", "main", first}),
              HasSubstr("    Reachable timelines  : 2\n"));
  const nlohmann::json shown =
      nlohmann::json::parse(run_silently(barman_, {"-f", "json", "show-backup", "main", first}));
  EXPECT_EQ(shown.at("main").at("wal_information").at("timelines"), nlohmann::json({"2"}));
}

// The archive does not know the new branch yet, and by its files the newest backup leads on.
TEST_P(ArchivingStory, RetentionAsksTheServerWhereItIs) {
  const std::string first = back_up();
  primary_.query("SELECT pg_create_restore_point('fork')");
  add_mark(primary_, "after the fork");
  const std::string second = back_up();
  archive(primary_);
  primary_.stop();
  fork_from(first);
  add_server(*fork_);
  fork_->query("ALTER SYSTEM SET archive_command = 'false'");
  fork_->query("SELECT pg_reload_conf()");
  fork_->wait_until("current_setting('archive_command') = 'false'");
  const fs::path history = "00000002.history";
  fs::remove(barman_.server_directory("main") / "incoming" / history);
  ASSERT_FALSE(fs::exists(archived_wal(barman_, "main", history.string())));
  barman_.set("main", "retention_policy", "REDUNDANCY 1");
  barman_.run({"cron"});
  EXPECT_THAT(barman_.backup_ids("main"), testing::Contains(first));
}

// Somebody starts it by mistake: what its successor has made is what counts.
TEST_P(ArchivingStory, AnOldPrimaryMakesNothingObsolete) {
  const std::string first = back_up();
  primary_.query("SELECT pg_create_restore_point('fork')");
  archive(primary_);
  primary_.stop();
  fork_from(first);
  add_server(*fork_);
  archive(*fork_);
  const std::string of_the_successor = back_up();
  fork_->stop();
  primary_.start();
  add_server(primary_);
  barman_.set("main", "retention_policy", "REDUNDANCY 1");
  barman_.run({"cron"});
  EXPECT_TRUE(eventually([&] {
    const std::vector<std::string> kept = barman_.backup_ids("main");
    return kept == std::vector{of_the_successor} ||
           !testing::Value(kept, testing::Contains(of_the_successor));
  }));
  EXPECT_EQ(barman_.backup_ids("main"), std::vector{of_the_successor});
}

TEST_P(ArchivingStory, RefusesATargetThatNoBackupReaches) {
  const std::string before = now_of(primary_);
  const std::string first = back_up();
  const std::string destination = (place_.path() / "data").string();
  const auto refusal = [&](const std::vector<std::string>& options, const std::string& backup) {
    std::vector<std::string> arguments{"restore"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    arguments.insert(arguments.end(), {"main", backup, destination});
    const CommandResult result = barman_.run(arguments);
    EXPECT_EQ(result.exit_code, 1) << result.out;
    EXPECT_FALSE(fs::exists(destination));
    return result.err;
  };
  EXPECT_THAT(refusal({"--target-time", before}, "auto"),
              StartsWith("ERROR: Cannot find any candidate backup for recovery.\n"));
  EXPECT_THAT(refusal({"--target-time", before}, first),
              HasSubstr("ERROR: The requested target time " + before.substr(0, 10)));
  EXPECT_THAT(refusal({"--target-lsn", "0/1", "--target-time", before}, first),
              HasSubstr("ERROR: You cannot specify multiple targets for the recovery operation\n"));
  EXPECT_THAT(refusal({"--target-action", "promote"}, first),
              HasSubstr("ERROR: Can't enable recovery target action when PITR is not required\n"));
  EXPECT_THAT(refusal({"--target-name", "x"}, "auto"),
              HasSubstr("ERROR: For PITR without a backup_id, the only possible recovery targets "
                        "are target_time and target_lsn. 'target_name' recovery target is not "
                        "allowed without a backup_id.\n"));
  EXPECT_THAT(refusal({"--target-tli", "7"}, first), HasSubstr("ERROR: "));
}

}  // namespace
}  // namespace barman::test
