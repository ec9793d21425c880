// A disk that is not mounted: no command takes the empty place for a catalogue without backups, and
// none makes a new catalogue there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/barman_home.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;
using testing::Not;

using CommandWords = std::vector<std::string>;

constexpr const char* kAnyId = "20261130T010203";
constexpr const char* kAnyWal = "000000010000000000000001";

// Each command of a server, as it is called.
std::vector<CommandWords> commands_of_a_server() {
  return {{"archive-wal", "main"},
          {"backup", "main"},
          {"catalogue-check", "main"},
          {"check", "main"},
          {"check", "--nagios", "main"},
          {"check-archived-wal-range", "main", kAnyWal, kAnyWal},
          {"check-backup", "main", kAnyId},
          {"check-wal-archive", "main"},
          {"consolidate", "main", "latest"},
          {"cron"},
          {"delete", "main", kAnyId},
          {"export-backup", "main", "latest", "/tmp"},
          {"generate-manifest", "main", "latest"},
          {"get-wal", "main", kAnyWal},
          {"keep", "--status", "main", kAnyId},
          {"list-backups", "main"},
          {"list-files", "main", "latest"},
          {"list-processes", "main"},
          {"put-wal", "main"},
          {"rebuild-xlogdb", "main"},
          {"receive-wal", "main"},
          {"replication-status", "main"},
          {"restore", "main", "latest", "/tmp/barman-nowhere"},
          {"show-backup", "main", "latest"},
          {"show-servers", "main"},
          {"status", "main"},
          {"switch-wal", "main"},
          {"sync-info", "main"},
          {"terminate-process", "main", "receive-wal"},
          {"verify-backup", "main", "latest"},
          {"verify-wal", "main"},
          {"diagnose"}};
}

class AbsentDisk : public testing::Test {
 protected:
  AbsentDisk() {
    barman_.add_section("main", {{"description", "Main"},
                                 {"conninfo", "host=/nonexistent user=barman connect_timeout=2"},
                                 {"streaming_conninfo", "host=/nonexistent user=streaming"},
                                 {"backup_method", "postgres"},
                                 {"streaming_archiver", "on"},
                                 {"slot_name", "barman"}});
  }

  // A monitoring system has looked at it, which is what makes it known.
  void make_known() {
    barman_.run({"check", "main"});
    ASSERT_TRUE(fs::exists(directory() / "base"));
  }
  void expect_each_to_say(const std::string& text, const std::vector<CommandWords>& commands) {
    for (const CommandWords& command : commands) {
      SCOPED_TRACE(testing::PrintToString(command));
      const CommandResult result = barman_.run(command);
      EXPECT_NE(result.exit_code, 0) << result.out;
      EXPECT_THAT(result.out + result.err, HasSubstr(text));
      EXPECT_THAT(result.out + result.err, HasSubstr("Is its disk mounted?"));
      EXPECT_THAT(result.out + result.err, Not(HasSubstr("result: OK")));
      EXPECT_THAT(result.out + result.err, Not(HasSubstr("EXCEPTION")));
    }
  }
  fs::path directory() const { return barman_.server_directory("main"); }

  BarmanHome barman_;
};

TEST_F(AbsentDisk, IsToldByEveryCommandWhenBarmanHomeIsGone) {
  make_known();
  fs::rename(barman_.home(), barman_.directory() / "elsewhere");
  std::vector<CommandWords> commands = commands_of_a_server();
  commands.push_back({"list-servers"});
  commands.push_back({"lock-directory-cleanup"});
  commands.push_back({"config-update", R"([{"scope": "global", "parallel_jobs": "2"}])"});
  expect_each_to_say("home\", is not there", commands);
  EXPECT_FALSE(fs::exists(barman_.home())) << "a command has made it";
}

TEST_F(AbsentDisk, IsToldByEveryCommandWhenTheDirectoryOfAServerIsGone) {
  make_known();
  fs::rename(directory(), barman_.directory() / "elsewhere");
  expect_each_to_say("main\", is not there, and held a catalogue at 2", commands_of_a_server());
  EXPECT_FALSE(fs::exists(directory())) << "a command has made it";
}

TEST_F(AbsentDisk, IsToldOfAnEmptyMountPoint) {
  make_known();
  fs::rename(directory(), barman_.directory() / "elsewhere");
  fs::create_directory(directory());
  const std::vector<CommandWords> commands = {{"catalogue-check", "main"},
                                              {"check", "main"},
                                              {"cron"},
                                              {"list-backups", "main"},
                                              {"backup", "main"}};
  expect_each_to_say("main\", holds no catalogue", commands);
  EXPECT_TRUE(fs::is_empty(directory()));
  // All of barman_home, too: the note beside the log tells.
  fs::rename(barman_.home(), barman_.directory() / "mounted");
  fs::create_directory(barman_.home());
  expect_each_to_say("main\", is not there, and held a catalogue at 2", commands);
  // Mounted again.
  fs::remove_all(barman_.home());
  fs::rename(barman_.directory() / "mounted", barman_.home());
  fs::remove(directory());
  fs::rename(barman_.directory() / "elsewhere", directory());
  EXPECT_EQ(barman_.run({"list-backups", "main"}).exit_code, 0);
}

TEST_F(AbsentDisk, IsNoneForANewServer) {
  const CommandResult early = barman_.run({"list-backups", "main"});
  EXPECT_EQ(early.exit_code, 1);
  EXPECT_THAT(early.err, HasSubstr("\"barman check main\" makes it"));
  EXPECT_EQ(barman_.run({"show-servers", "main"}).exit_code, 0);
  EXPECT_EQ(barman_.run({"cron"}).exit_code, 0);
  EXPECT_THAT(barman_.run({"check", "main"}).out, HasSubstr("directories: OK"));
  const CommandResult result = barman_.run({"list-backups", "main"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

}  // namespace
}  // namespace barman::test
