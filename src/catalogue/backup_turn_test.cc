#include "catalogue/backup_turn.h"

#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/test_support.h"

namespace barman::catalogue {
namespace {

class RecordedMessages final : public Messages {
 public:
  void debug(const std::string&) override {}
  void info(const std::string& text) override { lines.push_back(text); }
  void warning(const std::string&) override {}
  void error(const std::string&) override {}
  void exception(const std::string&) override {}
  std::vector<std::string> lines;
};

class BackupTurn : public testing::Test {
 protected:
  LockLocation location() const { return {.directory = home_.path(), .server_name = "main"}; }

  TemporaryDirectory home_;
  RecordedMessages messages_;
};

TEST_F(BackupTurn, IsNotWaitedForBesideACommand) {
  { EXPECT_TRUE(take_backup_turn(location(), {}, messages_)); }
  const auto held = FileLock::try_lock(backup_lock(location()));
  EXPECT_FALSE(take_backup_turn(location(), {}, messages_));
  EXPECT_THAT(messages_.lines, testing::IsEmpty());
  EXPECT_THROW(take_backup_turn_or_throw(location(), "busy", {}, messages_), Error);
}

TEST_F(BackupTurn, ComesAfterTheRetentionOfCron) {
  const auto cron = FileLock::try_lock(cron_lock(location()));
  auto held = FileLock::try_lock(backup_lock(location()));
  EXPECT_FALSE(take_backup_turn(location(), {}, messages_, std::chrono::milliseconds(1)));
  EXPECT_THAT(messages_.lines, testing::ElementsAre("Waiting until cron has applied the retention "
                                                    "policy of server main"));
  std::thread cron_ends([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    held.reset();
  });
  EXPECT_TRUE(take_backup_turn(location(), {}, messages_));
  cron_ends.join();
}

}  // namespace
}  // namespace barman::catalogue
