// Branches of time (docs/branches.md): a cluster is recovered three times to a point in its past,
// with backups on each branch. What barman calls prepared is started, and must come to its target;
// what could not come there must be refused.
//
//   1 --B1--a1--+--a2--A1--a3            abandoned behind the fork
//               `2 --b1--B2--+--b2--A2--b3   abandoned behind the fork
//                            `3 --c1--+--c2      abandoned behind the fork
//                                     `4 --d1--B4--d2   the present
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "support/barman_home.h"
#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/postgres_server.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using Arguments = std::vector<std::string>;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// What is true of the cluster at one moment.
struct Moment {
  std::string time;
  std::string lsn;
};

class BranchStory : public testing::Test {
 protected:
  BranchStory() {
    servers_.push_back(std::make_unique<PostgresServer>(PostgresOptions{
        .settings = {{"archive_mode", "on"}, {"archive_command", archive_command()}}}));
    server().query("CREATE TABLE marks (mark text)");
    serve();
    backups_["B1"] = back_up();
    mark("a1");
    fork_point("fork 1");
    mark("a2");
    backups_["A1"] = back_up();
    mark("a3");
    recover("B1", "fork 1");
    mark("b1");
    backups_["B2"] = back_up();
    fork_point("fork 2");
    mark("b2");
    backups_["A2"] = back_up();
    mark("b3");
    recover("B2", "fork 2");
    mark("c1");
    fork_point("fork 3");
    mark("c2");
    recover("B2", "fork 3");
    mark("d1");
    backups_["B4"] = back_up();
    mark("d2");
  }

  void compare_with_postgres();
  void ask_who_knows();
  void damage_histories();
  void retire_backups();

  PostgresServer& server() { return *servers_.back(); }

  std::string archive_command() const {
    const std::string file = (barman_.server_directory("main") / "incoming").string() + "/%f";
    return "cp %p " + file + ".tmp && mv " + file + ".tmp " + file;
  }

  void serve() {
    fs::create_directories(barman_.server_directory("main") / "incoming");
    barman_.add_streaming_server(
        "main", server(), {{"archiver", "on"}, {"streaming_archiver", ""}, {"slot_name", ""}});
  }

  std::string run(const Arguments& arguments) {
    const CommandResult result = barman_.run(arguments);
    EXPECT_EQ(result.exit_code, 0) << testing::PrintToString(arguments) << result.out << result.err;
    return result.out + result.err;
  }

  void archive() {
    const std::string wal = server().value("SELECT pg_walfile_name(pg_switch_wal())");
    const fs::path file = archived_wal(barman_, "main", wal);
    EXPECT_TRUE(eventually([&] {
      run({"archive-wal", "main"});
      return fs::exists(file);
    })) << file;
  }

  // Archived, with the moment behind it.
  void mark(const std::string& text) {
    server().query("INSERT INTO marks VALUES ('" + text + "')");
    moments_[text] = {.time = server().value("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', "
                                             "'YYYY-MM-DD HH24:MI:SS.US') || '+00:00'"),
                      .lsn = server().value("SELECT pg_current_wal_lsn()")};
    archive();
  }

  void fork_point(const std::string& name) {
    server().query("SELECT pg_create_restore_point('" + name + "')");
  }

  std::string back_up() {
    run({"backup", "--wait", "main"});
    return barman_.backup_ids("main").back();
  }

  // The server is lost, and goes on from a point in its past.
  void recover(const std::string& backup, const std::string& point) {
    server().stop();
    const fs::path place = place_.path() / ("after " + point);
    run({"restore", "--target-name", point, "--target-action", "promote", "main",
         backups_.at(backup), place.string()});
    servers_.push_back(std::make_unique<PostgresServer>(PostgresOptions{.data_directory = place}));
    server().wait_until_primary();
    server().query("ALTER SYSTEM SET archive_command = '" + archive_command() + "'");
    server().query("SELECT pg_reload_conf()");
    serve();
  }

  std::string word_or_id(const std::string& backup) const {
    const auto found = backups_.find(backup);
    return found == backups_.end() ? backup : found->second;
  }

  Arguments restore_of(const std::string& backup, const Arguments& options,
                       const fs::path& destination) const {
    Arguments arguments{"restore"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const bool has_target = std::any_of(options.begin(), options.end(), [](const auto& option) {
      return option.starts_with("--target-") && option != "--target-tli";
    });
    if (has_target) arguments.insert(arguments.end(), {"--target-action", "promote"});
    arguments.insert(arguments.end(), {"main", word_or_id(backup), destination.string()});
    return arguments;
  }

  // What PostgreSQL makes of the directory.
  std::string reached(const std::string& backup, const Arguments& options) {
    const TempDir place;
    const fs::path destination = place.path() / "data";
    const CommandResult result = barman_.run(restore_of(backup, options, destination));
    if (result.exit_code != 0) return "refused: " + result.err;
    PostgresServer restored({.data_directory = destination});
    restored.wait_until_primary();
    return restored.value("SELECT coalesce(string_agg(mark, ' ' ORDER BY mark), '') FROM marks");
  }

  // The text of the refusal; nothing was written.
  std::string refusal(const std::string& backup, const Arguments& options) {
    const fs::path destination = place_.path() / "refused";
    const CommandResult result = barman_.run(restore_of(backup, options, destination));
    EXPECT_EQ(result.exit_code, 1) << backup << testing::PrintToString(options) << result.out;
    EXPECT_FALSE(fs::exists(destination)) << backup << testing::PrintToString(options);
    return result.err;
  }

  fs::path history(int timeline) const {
    return archived_wal(barman_, "main", "0000000" + std::to_string(timeline) + ".history");
  }

  std::string time_of(const std::string& mark) const { return moments_.at(mark).time; }
  std::string lsn_of(const std::string& mark) const { return moments_.at(mark).lsn; }

  BarmanHome barman_;
  TempDir place_;
  std::vector<std::unique_ptr<PostgresServer>> servers_;
  std::map<std::string, std::string> backups_;
  std::map<std::string, Moment> moments_;
};

void BranchStory::compare_with_postgres() {
  const std::string first = "a1 a2 a3";
  const std::string second = "a1 b1 b2 b3";
  const std::string third = "a1 b1 c1 c2";
  const std::string present = "a1 b1 c1 d1 d2";
  struct Case {
    std::string backup;
    Arguments options;
    std::string marks;
  };
  const std::vector<Case> cases = {
      {"auto", {}, present},
      {"latest", {}, present},
      {"auto", {"--target-tli", "latest"}, present},
      {"auto", {"--target-tli", "3"}, third},
      {"auto", {"--target-tli", "2"}, second},
      {"auto", {"--target-tli", "1"}, first},
      {"auto", {"--target-time", time_of("a1")}, "a1"},
      {"auto", {"--target-time", time_of("b1")}, "a1 b1"},
      {"auto", {"--target-time", time_of("c1")}, "a1 b1 c1"},
      {"auto", {"--target-time", time_of("d1")}, "a1 b1 c1 d1"},
      // A moment of an abandoned piece: on the way to the present nothing happened then.
      {"auto", {"--target-time", time_of("a2")}, "a1"},
      {"auto", {"--target-time", time_of("a2"), "--target-tli", "1"}, "a1 a2"},
      {"auto", {"--target-time", time_of("b2"), "--target-tli", "2"}, "a1 b1 b2"},
      {"auto", {"--target-lsn", lsn_of("c1")}, "a1 b1 c1"},
      {"B1", {}, first},
      {"B1", {"--target-tli", "4"}, present},
      {"B1", {"--target-immediate"}, ""},
      {"B2", {"--target-tli", "current"}, second},
      {"A1", {}, first},
      {"A1", {"--target-immediate"}, "a1 a2"},
      {"A2", {}, second},
  };
  // Each starts a server: every third one, and all with BARMAN_MATRIX=full.
  const char* const matrix = std::getenv("BARMAN_MATRIX");  // NOLINT(concurrency-mt-unsafe)
  const bool takes_all = matrix != nullptr && std::string_view(matrix) == "full";
  for (std::size_t i = 0; i < cases.size(); i += takes_all ? 1 : 3) {
    const Case& one = cases[i];
    EXPECT_EQ(reached(one.backup, one.options), one.marks)
        << one.backup << testing::PrintToString(one.options);
  }
  EXPECT_THAT(refusal("A1", {"--target-tli", "2"}), HasSubstr("does not descend from backup"));
  EXPECT_THAT(refusal("A2", {"--target-tli", "4"}), HasSubstr("where that timeline was left"));
  EXPECT_THAT(refusal("A2", {"--target-tli", "1"}), HasSubstr("does not descend from backup"));
  EXPECT_THAT(refusal("B1", {"--target-tli", "7"}), HasSubstr("00000007.history"));
  EXPECT_THAT(refusal("auto", {"--target-tli", "7"}), HasSubstr("Cannot find any candidate"));
  EXPECT_THAT(refusal("B4", {"--target-lsn", "9/0"}), HasSubstr("lies behind the archived WAL"));
}

void BranchStory::ask_who_knows() {
  const std::string picture = run({"catalogue-check", "main"});
  EXPECT_THAT(picture, AllOf(HasSubstr("branches: timeline 1, left at "),
                             HasSubstr("1 backup (" + backups_.at("A1") + ") abandoned\n"),
                             HasSubstr("branches: `- timeline 2 from "),
                             HasSubstr("branches:       `- timeline 4 from "),
                             HasSubstr(", the present: 1 backup (" + backups_.at("B4") + ")\n")));
  EXPECT_THAT(run({"verify-wal", "main"}), AllOf(HasSubstr("Branches: timeline 1, left at "),
                                                 HasSubstr("Branches:       `- timeline 4 from ")));
  EXPECT_THAT(run({"show-backup", "main", backups_.at("A2")}),
              HasSubstr("    Branch               : abandoned at "));
  EXPECT_THAT(run({"show-backup", "main", backups_.at("B2")}), Not(HasSubstr("Branch ")));
  EXPECT_THAT(run({"status", "main"}),
              HasSubstr("Branches: the present is timeline 4, and 2 backups do not lead there: "));
  EXPECT_THAT(
      run({"restore", "--dry-run", "main", backups_.at("A1"), (place_.path() / "x").string()}),
      HasSubstr("does not lead to the present: abandoned at "));
  const CommandResult parent = barman_.run({"backup", "--incremental", backups_.at("A2"), "main"});
  EXPECT_NE(parent.exit_code, 0);
  EXPECT_THAT(parent.err, HasSubstr("it lies on a branch that the server has left, abandoned at "));
}

void BranchStory::damage_histories() {
  const TempDir away;
  const std::string good = read_text(history(2));
  write_text(history(2), "not a number\n");
  EXPECT_EQ(reached("auto", {}), "a1 b1 c1 d1 d2");
  EXPECT_EQ(reached("B1", {"--target-tli", "3"}), "a1 b1 c1 c2");
  EXPECT_EQ(reached("B1", {"--target-immediate"}), "");
  EXPECT_EQ(reached("B2", {"--target-tli", "2"}), "a1 b1 b2 b3");
  EXPECT_THAT(refusal("B1", {"--target-tli", "2"}), HasSubstr("00000002.history"));
  const CommandResult damaged = barman_.run({"check", "main"});
  EXPECT_THAT(damaged.out, HasSubstr("timeline history files: FAILED"));
  EXPECT_EQ(barman_.run({"catalogue-check", "main"}).exit_code, 1);
  // The same file missing. Without it "latest" is nothing that PostgreSQL finds.
  fs::remove(history(2));
  run({"rebuild-xlogdb", "main"});
  EXPECT_EQ(reached("B2", {}), "a1 b1 b2 b3");
  EXPECT_EQ(reached("A2", {"--target-immediate"}), "a1 b1 b2");
  EXPECT_EQ(reached("B2", {"--target-tli", "2"}), "a1 b1 b2 b3");
  EXPECT_EQ(reached("B1", {"--target-tli", "4"}), "a1 b1 c1 d1 d2");
  EXPECT_THAT(refusal("B1", {"--target-tli", "2"}),
              HasSubstr("00000002.history is not in the WAL archive"));
  write_text(history(2), good);
  // The segment in which timeline 3 begins: its parent's copy of it leads elsewhere.
  std::string begin;
  for (const std::string& name : archived_wal_names(barman_, "main")) {
    const bool is_candidate = name.starts_with("00000003") && name.size() == 24;
    if (is_candidate && (begin.empty() || name < begin)) begin = name;
  }
  const fs::path file = archived_wal(barman_, "main", begin);
  fs::rename(file, away.path() / begin);
  run({"rebuild-xlogdb", "main"});
  EXPECT_THAT(refusal("B1", {"--target-tli", "3"}),
              HasSubstr("recovery does not come to timeline 3"));
  fs::rename(away.path() / begin, file);
  run({"rebuild-xlogdb", "main"});
}

void BranchStory::retire_backups() {
  // Without a backup on it, the present is reached from the branch that led to it.
  run({"delete", "main", backups_.at("B4")});
  EXPECT_EQ(reached("auto", {}), "a1 b1 c1 d1 d2");
  EXPECT_EQ(reached("latest", {}), "a1 b1 c1 d1 d2");
  barman_.set("main", "retention_policy", "REDUNDANCY 1");
  const std::vector<std::string> left = {backups_.at("B2"), backups_.at("A2")};
  EXPECT_TRUE(eventually([&] {
    run({"cron"});
    return barman_.backup_ids("main") == left;
  })) << testing::PrintToString(barman_.backup_ids("main"));
  EXPECT_EQ(reached("auto", {}), "a1 b1 c1 d1 d2");
}

// One story for all, since it takes longer than what is asked of it.
TEST_F(BranchStory, IsKnownToEverybodyAndWhatIsPreparedReachesItsTarget) {
  compare_with_postgres();
  ask_who_knows();
  damage_histories();
  retire_backups();
}

}  // namespace
}  // namespace barman::test
