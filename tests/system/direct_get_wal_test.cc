// restore_command = 'ssh barman@backup barman get-wal main %f > %p', without a client program in
// between: what barman cannot tell or hand out must not look like the end of the WAL.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "support/catalogue_files.h"
#include "support/eventually.h"
#include "support/ssh_server.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(DirectGetWal, NeverEndsARecoveryByAFailure) {
  if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
  StreamingSite site;
  site.postgres.query("CREATE TABLE t (id bigint)");
  site.start_receiver();
  site.archive_a_segment();
  site.take_backup();
  for (int i = 0; i < 3; ++i) {
    site.postgres.query("INSERT INTO t SELECT generate_series(1, 10000)");
    site.archive_a_segment();
  }
  const SshServer ssh(site.barman);
  const auto get_wal = [&](const std::string& words) {
    return run_command({.argv = {"bash", "-c", ssh.shell() + " barman get-wal " + words}});
  };
  const std::string last = archived_wal_names(site.barman, "main").back();
  const fs::path stored = archived_wal(site.barman, "main", last);
  const std::string content = read_text(stored);
  EXPECT_TRUE(get_wal("main " + last).out == content);
  EXPECT_EQ(get_wal("main 0000000900000009000000F0").exit_code, 1);
  EXPECT_EQ(get_wal("main no_name").exit_code, 3);
  const CommandResult unknown = get_wal("nobody " + last);
  EXPECT_EQ(unknown.exit_code, 126);
  EXPECT_THAT(unknown.err, HasSubstr("Unknown server 'nobody'"));
  EXPECT_EQ(get_wal("--test nobody " + last).exit_code, 1);
  write_text(stored, "\x1f\x8b\x08 no gzip");
  const CommandResult damaged = get_wal("main " + last);
  EXPECT_EQ(damaged.exit_code, 126);
  EXPECT_THAT(damaged.err, HasSubstr(stored.string()));

  const TempDir place;
  const fs::path data = place.path() / "data";
  const CommandResult restored = site.barman.run(
      {"restore", "--get-wal", "--skip-wal-check", "--restore-command",
       ssh.shell() + " barman get-wal main %f > %p", "main", "latest", data.string()});
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  PostgresServer copy({.data_directory = data, .start = StartWait::processes});
  ASSERT_TRUE(eventually([&] { return !copy.is_running(); })) << copy.log();
  EXPECT_THAT(copy.log(), AllOf(HasSubstr("could not restore file \"" + last + "\" from archive"),
                                Not(HasSubstr("selected new timeline"))));
  EXPECT_TRUE(fs::exists(data / "recovery.signal"));
  // The configuration of barman is unreadable for a moment.
  write_text(stored, content);
  const fs::path configuration = site.barman.configuration_file();
  fs::rename(configuration, configuration.string() + ".away");
  copy.start(StartWait::processes);
  ASSERT_TRUE(eventually([&] { return !copy.is_running(); })) << copy.log();
  EXPECT_TRUE(fs::exists(data / "recovery.signal"));
  fs::rename(configuration.string() + ".away", configuration);
  copy.start();
  copy.wait_until_primary();
  EXPECT_EQ(copy.value("SELECT count(*) FROM t"), "30000");
}

}  // namespace
}  // namespace barman::test
