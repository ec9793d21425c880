#include "wal_transfer/archive_trigger.h"

#include <signal.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>

#include "wal_transfer/test_support.h"

namespace barman::wal_transfer {
namespace {

namespace fs = std::filesystem;

bool is_soon(const std::function<bool()>& is_so) {
  for (int i = 0; i < 4000 && !is_so(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return is_so();
}

// Children are a script of the test.
class ArchiveTriggerTest : public testing::Test {
 protected:
  server::Server server_that_runs(const std::string& script) const {
    put_file(program_, "#!/bin/sh\ncd '" + test_.home.path().string() + "'\n" + script + "\n");
    fs::permissions(program_, fs::perms::owner_all);
    config::GlobalConfig global;
    global.barman_lock_directory = test_.home.path().string();
    return {test_.config, global, {.program = program_, .configuration_path = "/etc/b.conf"}};
  }
  std::string calls() const { return get_file(test_.home.path() / "calls"); }
  std::ptrdiff_t call_count() const { return std::ranges::count(calls(), '\n'); }

  const TestServer test_;
  const fs::path program_ = test_.home.path() / "program";
};

TEST_F(ArchiveTriggerTest, RunsArchiveWalForWhatIsComplete) {
  const server::Server server = server_that_runs("echo \"$@\" >> calls");
  ArchiveTrigger trigger(server);
  trigger.pull();
  ASSERT_TRUE(is_soon([&] { return call_count() == 1; }));
  EXPECT_EQ(calls(), "-c /etc/b.conf -q archive-wal main\n");
  trigger.pull();
  EXPECT_TRUE(is_soon([&] { return call_count() == 2; }));
}

// Another archiver has the lock, or the disk is full.
TEST_F(ArchiveTriggerTest, TriesAgainWhileFilesWait) {
  const server::Server server = server_that_runs("echo \"$@\" >> calls");
  put_wal_file(test_.streaming(wal_name(1)), "waits");
  put_file(test_.streaming(wal_name(2) + ".partial"), "");
  ArchiveTrigger trigger(server);
  trigger.pull();
  EXPECT_TRUE(is_soon([&] { return call_count() >= 2; }));
}

TEST_F(ArchiveTriggerTest, AChildThatDoesNotEndIsEnded) {
  const server::Server server = server_that_runs(
      "echo $$ > pid.new && mv pid.new pid\n"
      "exec sleep 1000");
  const fs::path note = test_.home.path() / "pid";
  pid_t pid = 0;
  {
    ArchiveTrigger trigger(server);
    trigger.pull();
    ASSERT_TRUE(is_soon([&] { return fs::exists(note); }));
    pid = static_cast<pid_t>(std::stoi(get_file(note)));
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_EQ(::kill(pid, 0), -1);
}

}  // namespace
}  // namespace barman::wal_transfer
