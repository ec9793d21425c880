// What ends a restore onto another host from outside: the ssh that carries it is killed, or the tar
// that writes there, or the connection is cut when nobody can know what is there. Nothing that
// starts is left unsaid, and the next run goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <iterator>
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

bool unpacks(pid_t pid) {
  std::ifstream file(fs::path("/proc") / std::to_string(pid) / "cmdline");
  const std::string words((std::istreambuf_iterator<char>(file)), {});
  return words.find("-xpof") != std::string::npos;
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
  // The connection is cut as soon as a script with these words is to be run there, or has run.
  CommandResult restore_cut_off(const std::string& words, bool has_run) {
    const fs::path relay = place_.path() / "relay";
    const std::string cut = has_run ? site_->ssh.shell() + " \"$@\"; exit 255" : "exit 255";
    write_text(relay, "case \"$*\" in *'" + words + "'*) " + cut + ";; esac\nexec " +
                          site_->ssh.shell() + " \"$@\"\n");
    std::vector<std::string> arguments = restore({"--tablespace", rule_});
    arguments[2] = "sh " + relay.string();
    return site_->barman.run(arguments);
  }
  // Of this test: what sshd starts has barman's directory in its environment. One that says what it
  // can do is none.
  std::vector<pid_t> receiving() const {
    std::vector<pid_t> found;
    for (const pid_t pid : list_processes("tar", site_->barman.directory().string())) {
      if (is_program(pid, "tar") && unpacks(pid)) found.push_back(pid);
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
  // The guard is the session that keeps other restores out.
  enum class Victim { ssh, tar, guard };
  void expect_end(Victim victim, const std::vector<std::string>& options) {
    SCOPED_TRACE(static_cast<int>(victim));
    // Not that of the last one.
    ASSERT_TRUE(eventually([&] { return receiving().empty(); }));
    BackgroundCommand command = site_->barman.spawn(restore(options));
    ASSERT_TRUE(eventually([&] {
      return (fs::exists(data_ / "base/1") && !receiving().empty()) || !command.is_running();
    }));
    bool has_killed = false;
    const auto kill_all = [&] {
      for (const pid_t pid : victim == Victim::tar ? receiving() : sending(command)) {
        if (victim == Victim::guard && unpacks(pid)) continue;
        if (::kill(pid, SIGKILL) == 0) has_killed = true;
      }
    };
    kill_all();
    // A tar that has just taken all of its part (first that of the directories) is no loss: the
    // next one is killed, too.
    if (victim == Victim::tar) {
      eventually([&] {
        kill_all();
        return !command.is_running();
      });
    }
    EXPECT_TRUE(has_killed);
    const auto result = command.wait();
    ASSERT_TRUE(result);
    EXPECT_EQ(result->exit_code, 1) << result->out;
    if (victim == Victim::guard) EXPECT_THAT(result->err, HasSubstr("kept other restores out"));
    if (victim == Victim::tar) {
      EXPECT_THAT(result->err, AllOf(HasSubstr("Failure copying base backup: "),
                                     HasSubstr(" ended with exit code 137")));
    }
    EXPECT_THAT(result->err, AllOf(HasSubstr("is incomplete: it has no global/pg_control"),
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
  expect_end(Victim::ssh, {"--jobs", "2", "--bwlimit", "2000", "--tablespace", rule_});
  expect_end(Victim::tar, {"--resume", "--bwlimit", "2000"});
  expect_end(Victim::guard, {"--resume", "--bwlimit", "20000"});
  const CommandResult resumed = site_->barman.run(restore({"--resume"}));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_THAT(resumed.out, HasSubstr(" were there already."));
  PostgresServer copy({.data_directory = data_});
  copy.wait_until_primary();
  EXPECT_EQ(all_rows(copy), all_rows(site_->postgres));
}

// Nobody here knows what is there then, and nothing is said that may be wrong.
TEST_F(RemoteFailure, ThatNobodyKnowsTheOutcomeOfSaysSo) {
  const std::string prepare = "marker=$1; update=$2";
  const std::string complete = "waiting=$1; final=$2";
  const std::string claim = "is incomplete: it has no global/pg_control";
  const CommandResult first = restore_cut_off(prepare, false);
  EXPECT_EQ(first.exit_code, 1);
  EXPECT_THAT(first.err, AllOf(HasSubstr("Whether anything was changed in '" + data_.string() +
                                         "' on the destination host is not known"),
                               testing::Not(HasSubstr(claim))));
  EXPECT_FALSE(fs::exists(data_));
  const CommandResult before = restore_cut_off(complete, false);
  EXPECT_EQ(before.exit_code, 1);
  const std::string told = "it is not known whether \"global/pg_control\" is there";
  EXPECT_THAT(before.err, AllOf(HasSubstr(told), HasSubstr("--delta-restore, added to the same"),
                                testing::Not(HasSubstr(claim))));
  EXPECT_FALSE(fs::exists(data_ / "global/pg_control"));
  const CommandResult completed =
      site_->barman.run(restore({"--delta-restore", "--tablespace", rule_}));
  ASSERT_EQ(completed.exit_code, 0) << completed.err;
  EXPECT_TRUE(fs::exists(data_ / "global/pg_control"));
  fs::remove_all(data_);
  fs::remove_all(rule_.substr(rule_.find('/')));
  const CommandResult behind = restore_cut_off(complete, true);
  EXPECT_EQ(behind.exit_code, 1);
  EXPECT_THAT(behind.err, AllOf(HasSubstr(told),
                                HasSubstr("with '" + (data_ / "global/pg_control").string() +
                                          "' the restore is complete"),
                                testing::Not(HasSubstr(claim))));
  PostgresServer copy({.data_directory = data_});
  copy.wait_until_primary();
  EXPECT_EQ(all_rows(copy), all_rows(site_->postgres));
}

}  // namespace
}  // namespace barman::test
