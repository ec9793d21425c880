// The support of the system tests itself: every version of PostgreSQL starts, keeps rows and stops.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "base/error.h"
#include "support/eventually.h"
#include "support/postgres_server.h"
#include "support/privileges.h"
#include "support/temp_dir.h"
#include "support/writer.h"

namespace barman::test {
namespace {

using testing::HasSubstr;
using testing::IsSupersetOf;

class ServerOfEachVersion : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(PostgreSQL, ServerOfEachVersion, testing::ValuesIn(all_majors()),
                         testing::PrintToStringParamName());

TEST_P(ServerOfEachVersion, KeepsRowsOverStopsAndCrashes) {
  PostgresServer postgres({.major = GetParam(), .tablespaces = {"fast"}});
  EXPECT_EQ(postgres.value("SELECT current_setting('server_version_num')::int / 10000"),
            std::to_string(GetParam()));
  postgres.query("CREATE TABLE t (id int, word text) TABLESPACE fast");
  postgres.query("INSERT INTO t VALUES (2, 'two'), (1, NULL)");
  const Rows rows{{"1", "(null)"}, {"2", "two"}};
  EXPECT_EQ(sorted_rows(postgres, "t"), rows);
  postgres.stop();
  EXPECT_FALSE(postgres.is_running());
  postgres.start();
  EXPECT_EQ(sorted_rows(postgres, "t"), rows);
  postgres.kill_9();
  EXPECT_FALSE(postgres.is_running());
  postgres.start();
  EXPECT_EQ(sorted_rows(postgres, "t"), rows);
  postgres.restart(StopMode::immediate);
  EXPECT_EQ(Session(postgres.tcp_conninfo()).query("TABLE t ORDER BY id"), rows);
}

TEST_P(ServerOfEachVersion, GivesBarmanTheLeastPrivileges) {
  PostgresServer postgres({.major = GetParam()});
  Session barman(postgres.conninfo("barman"));
  EXPECT_EQ(barman.value("SELECT usesuper FROM pg_user WHERE usename = current_user"), "f");
  EXPECT_NO_THROW(barman.query("SELECT pg_switch_wal()"));
  EXPECT_NO_THROW(barman.query("SELECT pg_create_restore_point('here')"));
  EXPECT_NO_THROW(barman.query("SELECT sum(pg_tablespace_size(oid)) FROM pg_tablespace"));
  EXPECT_NO_THROW(barman.query("SHOW data_directory"));
  EXPECT_THROW(barman.query("SELECT pg_rotate_logfile()"), Error);
  Session streaming(postgres.conninfo("streaming_barman") + " replication=true");
  EXPECT_EQ(streaming.query("IDENTIFY_SYSTEM").size(), 1U);
}

TEST(PostgresServer, AsksForPasswords) {
  for (const Authentication method : {Authentication::md5, Authentication::scram_sha_256}) {
    PostgresServer postgres({.authentication = method});
    const std::string password = std::string(" password='") + kPassword + "'";
    EXPECT_NO_THROW(Session(postgres.conninfo("barman") + password));
    EXPECT_NO_THROW(Session(postgres.tcp_conninfo("streaming_barman") + password));
    EXPECT_THROW(Session(postgres.conninfo("barman") + " password=wrong"), Error);
  }
}

TEST(PostgresServer, RunsAnExistingDataDirectory) {
  PostgresServer original({.settings = {{"archive_mode", "on"}, {"archive_command", "false"}}});
  original.query("CREATE TABLE t AS SELECT 1 AS id");
  original.stop();
  const TempDir place;
  const std::filesystem::path copy = place.path() / "copy";
  run_checked({.argv = {"cp", "-a", original.data_directory(), copy}});
  PostgresServer copied({.data_directory = copy});
  EXPECT_EQ(sorted_rows(copied, "t"), (Rows{{"1"}}));
  EXPECT_EQ(copied.value("SHOW archive_mode"), "on");
}

TEST(PostgresServer, HasTheSegmentSizeAndSystemIdAskedFor) {
  PostgresServer shared;
  PostgresServer own({.shape = {.wal_segment_megabytes = 1, .system_id = SystemId::own}});
  const std::string system_id = "SELECT system_identifier FROM pg_control_system()";
  EXPECT_NE(shared.value(system_id), own.value(system_id));
  EXPECT_EQ(own.value("SHOW wal_segment_size"), "1MB");
}

TEST(PostgresServer, TellsWhyItDoesNotStart) {
  try {
    PostgresServer postgres({.settings = {{"shared_buffers", "nonsense"}}});
    FAIL() << "it has started";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("shared_buffers"));
  }
}

TEST(Writer, KnowsWhatItHasCommittedWhileTheServerCrashes) {
  PostgresServer postgres;
  Writer writer(postgres);
  const Commit first = writer.wait_for_commits(20);
  EXPECT_EQ(postgres.value("SELECT pg_current_wal_lsn() >= '" + first.lsn + "'"), "t");
  postgres.kill_9();
  postgres.start();
  writer.wait_for_commits(20);
  const std::vector<Commit> commits = writer.stop();
  const std::vector<std::int64_t> expected = ids_until(commits, commits.back().id);
  EXPECT_THAT(written_ids(postgres), IsSupersetOf(expected));
  EXPECT_GE(expected.size(), 40U);
}

TEST(BackgroundCommand, EndsAtItsTimeLimitOrByASignal) {
  EXPECT_THROW(run_command({.argv = {"sleep", "60"}, .timeout = std::chrono::milliseconds(50)}),
               Error);
  BackgroundCommand sleeping({.argv = {"sleep", "60"}});
  EXPECT_TRUE(sleeping.is_running());
  sleeping.kill(SIGTERM);
  EXPECT_EQ(sleeping.wait()->exit_code, 128 + SIGTERM);
  EXPECT_EQ(run_command({.argv = {"cat"}, .input = "text"}).out, "text");
  EXPECT_NE(run_checked({.argv = {"id", "-u"}}), "0\n") << "programs must not be run by root";
}

TEST(Tmpfs, IsFullWhenItsSizeIsReached) {
  if (!Tmpfs::is_available()) GTEST_SKIP() << Tmpfs::kUnavailable;
  Tmpfs small(1 << 20);
  EXPECT_THROW(write_text(small.path() / "file", std::string(2 << 20, 'x')), Error);
  small.resize(4 << 20);
  EXPECT_NO_THROW(write_text(small.path() / "file", std::string(2 << 20, 'x')));
  EXPECT_LT(small.free_bytes(), std::uint64_t{3} << 20);
}

}  // namespace
}  // namespace barman::test
