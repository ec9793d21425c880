#include "cli/told_before.h"

#include <gtest/gtest.h>

#include "base/test_support.h"

namespace barman::cli {
namespace {

using output::MessageLevel;

class ToldBeforeTest : public testing::Test {
 protected:
  // One run of the command; whether it tells the text.
  bool tells(const std::string& command, double day, MessageLevel level, const std::string& text) {
    ToldBefore told(home_.path(), command, from_epoch_seconds(1'800'000'000 + day * 86400));
    const bool is_new = told.is_new(level, text);
    told.keep();
    return is_new;
  }

  TemporaryDirectory home_;
};

TEST_F(ToldBeforeTest, TellsAWarningOnce) {
  EXPECT_TRUE(tells("backup", 0, MessageLevel::warning, "files outside\nof PGDATA"));
  EXPECT_FALSE(tells("backup", 1, MessageLevel::warning, "files outside\nof PGDATA"));
  EXPECT_TRUE(tells("backup", 1, MessageLevel::warning, "another"));
  EXPECT_FALSE(tells("backup", 8, MessageLevel::warning, "files outside\nof PGDATA"));
  EXPECT_TRUE(tells("cron", 8, MessageLevel::warning, "another"));
  // It was away for long.
  EXPECT_TRUE(tells("backup", 17, MessageLevel::warning, "files outside\nof PGDATA"));
}

TEST_F(ToldBeforeTest, TellsAnErrorOfCronOnceADayAndOthersAlways) {
  EXPECT_TRUE(tells("cron", 0, MessageLevel::error, "no"));
  EXPECT_FALSE(tells("cron", 0.9, MessageLevel::error, "no"));
  EXPECT_TRUE(tells("cron", 1, MessageLevel::error, "no"));
  EXPECT_FALSE(tells("cron", 1.9, MessageLevel::error, "no"));
  EXPECT_TRUE(tells("backup", 0, MessageLevel::error, "no"));
  EXPECT_TRUE(tells("backup", 0, MessageLevel::error, "no"));
  EXPECT_TRUE(tells("backup", 0, MessageLevel::info, "yes"));
  EXPECT_TRUE(tells("backup", 0, MessageLevel::info, "yes"));
}

}  // namespace
}  // namespace barman::cli
