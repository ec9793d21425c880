// What ends a restore onto another host from outside: the ssh that carries it is killed. Nothing
// that starts is left, and the next run goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "support/eventually.h"
#include "support/incremental_site.h"
#include "support/rsync_site.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;

bool is_program(pid_t pid, const std::string& name) {
  std::error_code gone;
  return fs::read_symlink(fs::path("/proc") / std::to_string(pid) / "exe", gone).filename() == name;
}

std::vector<pid_t> list_descendants(pid_t parent) {
  std::vector<pid_t> all;
  for (const pid_t child : list_children(parent)) {
    all.push_back(child);
    for (const pid_t next : list_descendants(child)) all.push_back(next);
  }
  return all;
}

class RemoteFailure : public testing::Test {
 protected:
  void SetUp() override {
    if (!SshServer::is_available()) GTEST_SKIP() << SshServer::kUnavailable;
    site_.emplace();
    site_->postgres.query(
        "CREATE TABLE bulk AS SELECT g AS id, repeat(md5(g::text), 12) AS text "
        "FROM generate_series(1, 24000) g");
    const CommandResult backup = site_->barman.run({"backup", "--wait", "main"});
    ASSERT_EQ(backup.exit_code, 0) << backup.out << backup.err;
  }
  std::vector<std::string> restore(const std::vector<std::string>& options) const {
    std::vector<std::string> arguments = {"restore", "--remote-ssh-command", site_->ssh.shell()};
    arguments.insert(arguments.end(), options.begin(), options.end());
    arguments.insert(arguments.end(), {"main", site_->newest(), data_.string()});
    return arguments;
  }
  // Of this test: what sshd starts has barman's directory in its environment.
  std::vector<pid_t> receiving() const {
    std::vector<pid_t> found;
    for (const pid_t pid : list_processes("tar", site_->barman.directory().string())) {
      if (is_program(pid, "tar")) found.push_back(pid);
    }
    return found;
  }
  static std::vector<pid_t> sending(const BackgroundCommand& command) {
    std::vector<pid_t> found;
    for (const pid_t pid : list_descendants(command.pid())) {
      if (is_program(pid, "ssh")) found.push_back(pid);
    }
    return found;
  }
  void expect_end(const std::vector<std::string>& options) {
    BackgroundCommand command = site_->barman.spawn(restore(options));
    ASSERT_TRUE(eventually([&] {
      return (fs::exists(data_ / "base/1") && !receiving().empty()) || !command.is_running();
    }));
    for (const pid_t pid : sending(command)) ::kill(pid, SIGKILL);
    const auto result = command.wait();
    ASSERT_TRUE(result);
    EXPECT_EQ(result->exit_code, 1) << result->out;
    EXPECT_THAT(result->err, AllOf(HasSubstr("Failure copying base backup: "),
                                   HasSubstr("is incomplete: it has no global/pg_control"),
                                   HasSubstr("Go on with --resume")));
    EXPECT_FALSE(fs::exists(data_ / "global/pg_control"));
    EXPECT_FALSE(fs::exists(data_ / "postgresql.auto.conf"));
  }

  std::optional<RsyncSite> site_;
  const TempDir place_;
  const fs::path data_ = place_.path() / "data";
  // PostgreSQL allows it, and two shells are on the way.
  const std::string rule_ = "ts:" + (place_.path() / "-a\nb 'c' \"$d\" \xC3\xBC").string();
};

TEST_F(RemoteFailure, OfWhatCarriesItIsGoneOnWith) {
  expect_end({"--jobs", "2", "--bwlimit", "2000", "--tablespace", rule_});
  const CommandResult resumed = site_->barman.run(restore({"--resume"}));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_THAT(resumed.out, HasSubstr(" were there already."));
  PostgresServer copy({.data_directory = data_});
  copy.wait_until_primary();
  EXPECT_EQ(all_rows(copy), all_rows(site_->postgres));
}

}  // namespace
}  // namespace barman::test
