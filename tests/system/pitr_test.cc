// Point-in-time recovery, seen from the rows: a writer commits while the backup is taken and after
// it; then restores to every kind of target are started, and hold exactly what was committed before
// the target.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "support/barman_home.h"
#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/postgres_server.h"
#include "support/temp_dir.h"
#include "support/writer.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

using Arguments = std::vector<std::string>;

// One cluster, one backup taken under load, and what was committed when.
class Story {
 public:
  explicit Story(int major)
      : postgres_({.major = major,
                   .settings = {{"archive_mode", "on"}, {"archive_command", "/bin/true"}},
                   .tablespaces = {"fast"}}) {
    postgres_.query("CREATE TABLE marks (mark text) TABLESPACE fast");
    barman_.add_streaming_server("main", postgres_);
    run({"receive-wal", "--create-slot", "main"});
    receiver_.emplace(barman_.spawn_receiver("main", postgres_));
    Writer writer(postgres_);
    before_backup_ = writer.wait_for_commits(30);
    run({"backup", "--wait", "main"});
    after_backup_ = writer.wait_for_commits(30);
    time_target_ = writer.wait_for_commits(30);
    xid_target_ = writer.wait_for_commits(30);
    postgres_.query("INSERT INTO marks VALUES ('before')");
    postgres_.query("SELECT pg_create_restore_point('half way')");
    postgres_.query("INSERT INTO marks VALUES ('after')");
    lsn_target_ = writer.wait_for_commits(30);
    writer.wait_for_commits(30);
    commits_ = writer.stop();
    run({"switch-wal", "--archive", "main"});
  }

  void run(const Arguments& arguments) {
    const CommandResult result = barman_.run(arguments);
    ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
    EXPECT_EQ(result.err, "");
  }

  PostgresServer& postgres() { return postgres_; }
  BarmanHome& barman() { return barman_; }
  const Commit& before_backup() const { return before_backup_; }
  const Commit& after_backup() const { return after_backup_; }
  const Commit& time_target() const { return time_target_; }
  const Commit& xid_target() const { return xid_target_; }
  const Commit& lsn_target() const { return lsn_target_; }
  std::vector<std::int64_t> all_ids() const { return ids_until(commits_, commits_.back().id); }
  std::vector<std::int64_t> ids_up_to(const Commit& commit) const {
    return ids_until(commits_, commit.id);
  }
  std::vector<std::int64_t> ids_before(const Commit& commit) const {
    return ids_until(commits_, commit.id - 1);
  }

 private:
  PostgresServer postgres_;
  BarmanHome barman_;
  std::optional<BackgroundCommand> receiver_;
  Commit before_backup_, after_backup_, time_target_, xid_target_, lsn_target_;
  std::vector<Commit> commits_;
};

// A restore of the story's backup into directories of its own, and the cluster that comes of it.
class Restored {
 public:
  Restored(Story& story, const Arguments& options, StartWait wait = StartWait::ready) {
    Arguments arguments{"restore"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    arguments.insert(arguments.end(), {"--tablespace", "fast:" + tablespace_directory().string(),
                                       "main", "latest", data_directory().string()});
    result_ = story.barman().run(arguments);
    if (result_.exit_code != 0) {
      throw std::runtime_error("restore fails: " + result_.out + result_.err);
    }
    EXPECT_EQ(result_.err, "");
    restored_auto_conf_ = read_text(data_directory() / "postgresql.auto.conf");
    server_ = std::make_unique<PostgresServer>(
        PostgresOptions{.major = story.postgres().major(),
                        .data_directory = data_directory(),
                        .start = wait,
                        .environment = story.barman().environment_for_restore_command()});
  }

  PostgresServer& server() { return *server_; }
  const CommandResult& result() const { return result_; }
  const std::string& auto_conf() const { return restored_auto_conf_; }
  fs::path data_directory() const { return place_.path() / "data"; }
  fs::path tablespace_directory() const { return place_.path() / "fast"; }
  std::vector<std::int64_t> ids() const { return written_ids(*server_); }
  Rows marks() const { return sorted_rows(*server_, "marks"); }

 private:
  TempDir place_;
  CommandResult result_;
  std::string restored_auto_conf_;
  std::unique_ptr<PostgresServer> server_;
};

enum class Edge { inclusive, exclusive };

const Arguments kPromote{"--target-action", "promote"};

Arguments with_promote(Arguments target) {
  target.insert(target.end(), kPromote.begin(), kPromote.end());
  return target;
}

void expect_whole_restore(Story& story) {
  SCOPED_TRACE("no target");
  Restored restored(story, {});
  EXPECT_THAT(restored.auto_conf(), Not(HasSubstr("restore_command")));
  restored.server().wait_until_primary();
  EXPECT_EQ(restored.ids(), story.all_ids());
  EXPECT_EQ(restored.marks(), (Rows{{"after"}, {"before"}}));
  EXPECT_EQ(restored.server().value("SHOW archive_command"), "false");
  EXPECT_EQ(restored.server().value("SELECT pg_tablespace_location(oid) FROM pg_tablespace "
                                    "WHERE spcname = 'fast'"),
            restored.tablespace_directory().string());
  EXPECT_EQ(restored.server().value("SELECT timeline_id FROM pg_control_checkpoint()"), "1");
  EXPECT_NO_THROW(restored.server().query("INSERT INTO marks VALUES ('written again')"));
}

void expect_time(Story& story, Edge edge) {
  SCOPED_TRACE(edge == Edge::exclusive ? "time, exclusive" : "time");
  Arguments target = with_promote({"--target-time", story.time_target().time});
  if (edge == Edge::exclusive) target.push_back("--exclusive");
  Restored restored(story, target);
  EXPECT_THAT(restored.result().out,
              HasSubstr("Doing PITR. Recovery target time: '" + story.time_target().time + "'\n"));
  restored.server().wait_until_primary();
  EXPECT_EQ(restored.ids(), story.ids_up_to(story.time_target()));
  EXPECT_EQ(restored.marks(), Rows{});
  EXPECT_FALSE(fs::exists(restored.data_directory() / "barman_wal"))
      << "recovery_end_command removes it";
}

void expect_xid(Story& story, Edge edge) {
  SCOPED_TRACE(edge == Edge::exclusive ? "xid, exclusive" : "xid");
  Arguments target = with_promote({"--target-xid", story.xid_target().xid});
  if (edge == Edge::exclusive) target.push_back("--exclusive");
  Restored restored(story, target);
  restored.server().wait_until_primary();
  EXPECT_EQ(restored.ids(), edge == Edge::exclusive ? story.ids_before(story.xid_target())
                                                    : story.ids_up_to(story.xid_target()));
}

void expect_lsn(Story& story, Edge edge) {
  SCOPED_TRACE(edge == Edge::exclusive ? "lsn, exclusive" : "lsn");
  Arguments target = with_promote({"--target-lsn", story.lsn_target().lsn});
  if (edge == Edge::exclusive) target.push_back("--exclusive");
  Restored restored(story, target);
  restored.server().wait_until_primary();
  EXPECT_EQ(restored.ids(), story.ids_up_to(story.lsn_target()));
  EXPECT_EQ(restored.marks(), (Rows{{"after"}, {"before"}}));
}

// Without an action PostgreSQL pauses there, readable.
void expect_name(Story& story) {
  SCOPED_TRACE("name");
  Restored restored(story, {"--target-name", "half way"});
  EXPECT_THAT(restored.result().out, HasSubstr("Doing PITR. Recovery target name: 'half way'\n"));
  restored.server().wait_until("pg_is_wal_replay_paused()");
  EXPECT_EQ(restored.server().value("SELECT pg_is_in_recovery()"), "t");
  EXPECT_EQ(restored.marks(), (Rows{{"before"}}));
  const std::vector<std::int64_t> ids = restored.ids();
  EXPECT_EQ(static_cast<std::int64_t>(ids.size()), ids.back()) << "a gap in the rows";
  EXPECT_GE(ids.back(), story.xid_target().id);
  EXPECT_LT(ids.back(), story.lsn_target().id);
}

void expect_immediate(Story& story) {
  SCOPED_TRACE("immediate");
  Restored restored(story, with_promote({"--target-immediate"}));
  EXPECT_THAT(restored.result().out, HasSubstr("Doing PITR. Recovery target immediate: True\n"));
  restored.server().wait_until_primary();
  const std::vector<std::int64_t> ids = restored.ids();
  EXPECT_GE(ids.back(), story.before_backup().id);
  EXPECT_LT(ids.back(), story.after_backup().id);
  EXPECT_EQ(static_cast<std::int64_t>(ids.size()), ids.back()) << "a gap in the rows";
}

void expect_latest_timeline(Story& story) {
  SCOPED_TRACE("latest timeline");
  Restored restored(story, {"--target-tli", "latest"});
  EXPECT_THAT(restored.result().out, HasSubstr("Doing PITR. Recovery target timeline: '1'\n"));
  EXPECT_THAT(restored.auto_conf(), HasSubstr("recovery_target_timeline = latest\n"));
  restored.server().wait_until_primary();
  EXPECT_EQ(restored.ids(), story.all_ids());
  EXPECT_EQ(restored.server().value("SELECT timeline_id FROM pg_control_checkpoint()"), "2");
}

void expect_shutdown(Story& story) {
  SCOPED_TRACE("shutdown at the target");
  Restored restored(story, {"--target-xid", story.xid_target().xid, "--target-action", "shutdown"},
                    StartWait::processes);
  restored.server().wait_until_ended();
  EXPECT_TRUE(fs::exists(restored.data_directory() / "recovery.signal"));
  EXPECT_THAT(restored.server().log(), HasSubstr("shutdown at recovery target"));
}

// The WAL comes from the catalogue when PostgreSQL asks for it; nothing is copied by the restore.
void expect_get_wal(Story& story) {
  SCOPED_TRACE("get-wal");
  Restored restored(story, with_promote({"--get-wal", "--target-time", story.time_target().time}));
  EXPECT_THAT(restored.result().out, Not(HasSubstr("Copying required WAL segments.")));
  EXPECT_THAT(restored.result().out,
              HasSubstr("WARNING: 'get-wal' is in the specified 'recovery_options'."));
  EXPECT_THAT(restored.auto_conf(),
              HasSubstr("restore_command = 'barman get-wal -P main %f > %p'\n"));
  restored.server().wait_until_primary();
  EXPECT_EQ(restored.ids(), story.ids_up_to(story.time_target()));
}

// Last: it writes to the original cluster. The standby follows what reaches the catalogue.
void expect_standby_mode(Story& story) {
  SCOPED_TRACE("standby mode");
  Restored restored(story, {"--standby-mode", "--get-wal"});
  EXPECT_TRUE(fs::exists(restored.data_directory() / "standby.signal"));
  EXPECT_FALSE(fs::exists(restored.data_directory() / "recovery.signal"));
  EXPECT_THAT(restored.auto_conf(),
              AllOf(HasSubstr("restore_command = 'barman get-wal main %f > %p'\n"),
                    Not(HasSubstr("recovery_target"))));
  restored.server().wait_until("(SELECT max(id) FROM writes) = " +
                               std::to_string(story.all_ids().back()));
  EXPECT_EQ(restored.ids(), story.all_ids());
  story.postgres().query("INSERT INTO marks VALUES ('later')");
  story.run({"switch-wal", "--archive", "main"});
  restored.server().wait_until("EXISTS (SELECT FROM marks WHERE mark = 'later')");
  EXPECT_EQ(restored.server().value("SELECT pg_is_in_recovery()"), "t");
  restored.server().promote();
  EXPECT_NO_THROW(restored.server().query("INSERT INTO marks VALUES ('promoted')"));
}

class RestoreOfEachVersion : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Restore, RestoreOfEachVersion, testing::ValuesIn(all_majors()),
                         testing::PrintToStringParamName());

TEST_P(RestoreOfEachVersion, HoldsExactlyWhatWasCommittedBeforeTheTarget) {
  Story story(GetParam());
  ASSERT_FALSE(HasFatalFailure());
  expect_whole_restore(story);
  expect_time(story, Edge::inclusive);
  expect_xid(story, Edge::inclusive);
  expect_xid(story, Edge::exclusive);
  expect_lsn(story, Edge::inclusive);
  expect_name(story);
  expect_immediate(story);
  expect_latest_timeline(story);
  expect_get_wal(story);
  if (GetParam() == kUsualMajor) {
    expect_time(story, Edge::exclusive);
    expect_lsn(story, Edge::exclusive);
    expect_shutdown(story);
  }
  expect_standby_mode(story);
}

}  // namespace
}  // namespace barman::test
