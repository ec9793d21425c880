// Servers that are not what they were: put back to an earlier state, restored in place, or without
// their history file. Where streaming goes on is decided by what the server is now and by what was
// received; two histories are never mixed under one name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class Rewound : public testing::Test {
 protected:
  Rewound() {
    site.start_receiver();
    site.postgres.query("CREATE TABLE marks (mark text)");
    site.archive_a_segment();
  }

  // The server is stopped then.
  void keep_cold_copy() {
    site.postgres.stop();
    run_checked({.argv = {"cp", "-a", data().string(), copy.string()}});
  }
  void go_on() {
    site.postgres.start();
    site.postgres.wait_until("EXISTS (SELECT FROM pg_stat_replication)");
  }
  void put_back() {
    site.stop_receiver();
    site.postgres.stop();
    fs::remove_all(data());
    run_checked({.argv = {"cp", "-a", copy.string(), data().string()}});
    site.postgres.start();
  }
  void write_segments(int count) {
    for (int i = 0; i < count; ++i) {
      site.postgres.query(
          "INSERT INTO marks SELECT md5(random()::text) FROM generate_series(1, 100)");
      site.postgres.query("SELECT pg_switch_wal()");
    }
  }
  // The server, which is stopped, begins a timeline of its own where it is.
  void fork() {
    write_text(data() / "recovery.signal", "");
    append("restore_command = 'false'\n");
    site.postgres.start();
    site.postgres.wait_until_primary();
  }
  void append(const std::string& line) {
    write_text(data() / "postgresql.auto.conf", read_text(data() / "postgresql.auto.conf") + line);
  }
  std::string timeline() {
    return site.postgres.value("SELECT timeline_id FROM pg_control_checkpoint()");
  }
  fs::path data() const { return site.postgres.data_directory(); }

  StreamingSite site;
  TempDir place;
  const fs::path copy = place.path() / "copy";
};

TEST_F(Rewound, OnTheSameTimelineIsNotStreamedUntilItHasOneOfItsOwn) {
  keep_cold_copy();
  go_on();
  write_segments(3);
  site.wait_until_acknowledged();
  put_back();
  const CommandResult behind = site.barman.run({"receive-wal", "main"});
  EXPECT_EQ(behind.exit_code, 1);
  EXPECT_THAT(behind.err,
              AllOf(HasSubstr("ArchiverFailure:the server is at 0/"),
                    HasSubstr("put back to an earlier state"), HasSubstr("timeline of its own")));

  // Also when it has passed the place.
  write_segments(8);
  const CommandResult ahead = site.barman.run({"receive-wal", "main"});
  EXPECT_EQ(ahead.exit_code, 1);
  EXPECT_THAT(ahead.err, HasSubstr("is not what was received from the server"));

  // A timeline of its own, and the decision to leave what lies between.
  site.postgres.stop();
  fork();
  ASSERT_EQ(timeline(), "2");
  EXPECT_EQ(site.barman.run({"receive-wal", "--reset", "main"}).exit_code, 0);
  site.start_receiver();
  site.archive_a_segment();
  site.take_backup();
}

TEST_F(Rewound, WithinTheUnfinishedSegmentIsSeen) {
  keep_cold_copy();
  go_on();
  site.postgres.query("INSERT INTO marks SELECT md5(random()::text) FROM generate_series(1, 100)");
  const std::string lsn = site.postgres.value("SELECT pg_current_wal_flush_lsn()");
  ASSERT_TRUE(eventually([&] {
    return site.postgres.value("SELECT flush_lsn >= '" + lsn + "' FROM pg_stat_replication") == "t";
  }));
  put_back();
  site.postgres.query("INSERT INTO marks SELECT md5(random()::text) FROM generate_series(1, 200)");
  const CommandResult ahead = site.barman.run({"receive-wal", "main"});
  EXPECT_EQ(ahead.exit_code, 1);
  EXPECT_THAT(ahead.err, HasSubstr("put back to an earlier state"));
}

// A server that is the same is never taken for another one, wherever the receiver was stopped.
TEST_F(Rewound, IsNotWhatWasOnlyRestarted) {
  for (const auto& stop : std::vector<std::function<void()>>{
           [&] { site.postgres.restart(); }, [&] { site.postgres.restart(StopMode::immediate); },
           [&] {
             site.postgres.kill_9();
             site.postgres.start();
           }}) {
    write_segments(1);
    site.postgres.query("INSERT INTO marks VALUES ('in the unfinished segment')");
    site.receiver().kill(SIGKILL);
    site.receiver().wait();
    stop();
    site.start_receiver();
    site.archive_a_segment();
  }
  site.take_backup();
}

TEST_F(Rewound, WithoutItsHistoryFileIsStreamed) {
  site.postgres.stop();
  fork();
  ASSERT_EQ(timeline(), "2");
  site.archive_a_segment();
  site.stop_receiver();
  fs::remove(data() / "pg_wal" / "00000002.history");
  site.start_receiver();
  site.archive_a_segment();
  site.stop_receiver();

  // Nobody else has it either.
  fs::remove(archived_wal(site.barman, "main", "00000002.history"));
  fs::remove(site.server_directory() / "streaming" / "00000002.history");
  site.start_receiver();
  site.archive_a_segment();
  EXPECT_THAT(site.receiver().err(), HasSubstr("neither the server nor the archive has "
                                               "\"00000002.history\""));
  site.take_backup();
}

// Restored twice from one state: timeline 3 forks off 1, and knows nothing of the 2 that is held.
TEST_F(Rewound, OnAnotherBranchIsStreamedFromThere) {
  keep_cold_copy();
  fork();
  ASSERT_EQ(timeline(), "2");
  write_segments(2);
  site.archive_a_segment();
  put_back();
  write_text(data() / "recovery.signal", "");
  // As with `barman get-wal`: the archive tells that there is a timeline 2.
  append(
      "restore_command = 'test %f = 00000002.history && touch %p'\n"
      "recovery_target_timeline = 'current'\n");
  site.postgres.restart();
  site.postgres.wait_until_primary();
  ASSERT_EQ(timeline(), "3");
  site.start_receiver();
  EXPECT_THAT(site.receiver().err(),
              HasSubstr("did not come through timeline 2, of which WAL was received"));
  site.archive_a_segment();
  EXPECT_TRUE(fs::exists(archived_wal(site.barman, "main", "00000003.history")));
  site.take_backup();
}

// Again on timeline 1, which the archive has left for 2: the archiver leaves alone what is received
// now, although timeline 2 has later names.
TEST_F(Rewound, ToTheTimelineBeforeIsStreamed) {
  keep_cold_copy();
  fork();
  ASSERT_EQ(timeline(), "2");
  write_segments(2);
  site.archive_a_segment();
  put_back();
  site.start_receiver();
  EXPECT_THAT(site.receiver().err(), HasSubstr("the server is on timeline 1, and did not come "
                                               "through timeline 2, of which WAL was received"));
  site.postgres.query("INSERT INTO marks VALUES ('on timeline 1 again')");
  site.wait_until_acknowledged();
  const fs::path streaming = site.server_directory() / "streaming";
  const std::string current = site.postgres.value("SELECT pg_walfile_name(pg_current_wal_lsn())");
  ASSERT_THAT(current, testing::StartsWith("00000001"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(site.barman.run({"archive-wal", "main"}).exit_code, 0);
    EXPECT_TRUE(fs::exists(streaming / (current + ".partial")));
  }
  // Nor is it lost between two lives of the receiver.
  site.stop_receiver();
  EXPECT_EQ(site.barman.run({"archive-wal", "main"}).exit_code, 0);
  EXPECT_TRUE(fs::exists(streaming / (current + ".partial")));
  site.start_receiver();
  site.archive_a_segment();
  EXPECT_TRUE(fs::exists(archived_wal(site.barman, "main", current)));
  const std::string id = site.take_backup();
  const CommandResult restored =
      site.barman.run({"restore", "main", id, (place.path() / "restored").string()});
  ASSERT_EQ(restored.exit_code, 0) << restored.err;
  PostgresServer again({.data_directory = place.path() / "restored"});
  again.wait_until_primary();
  EXPECT_EQ(again.value("SELECT count(*) FROM marks WHERE mark = 'on timeline 1 again'"), "1");
}

}  // namespace
}  // namespace barman::test
