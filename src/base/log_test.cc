#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/fd.h"
#include "base/log_format.h"
#include "base/test_support.h"
#include "base/text.h"

namespace barman::log {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::Each;
using testing::MatchesRegex;
using testing::SizeIs;

constexpr int kAll = 0;
constexpr int kNothing = 100;

class Log : public testing::Test {
 protected:
  Log() { open_log(file_, kAll); }
  ~Log() override {
    set_server("");
    open_log(std::nullopt, kNothing);
  }

  std::vector<std::string> lines() const {
    std::vector<std::string> found = split(read_file(file_), '\n');
    EXPECT_EQ(found.back(), "") << "the last line is whole";
    found.pop_back();
    return found;
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_.path() / "log/barman.log";
};

TEST_F(Log, EachLineOfEachWayToLogHasTimeLevelAndServer) {
  const ServerScope scope("main");
  debug("barman.test", "{}\nmore", "a");
  info("barman.test", "{}\nmore", "a");
  warning("barman.test", "{}\nmore", "a");
  error("barman.test", "{}\nmore", "a");
  write(Level::critical, "barman.test", "a\n\nmore\n");
  const std::vector<std::string> found = lines();
  EXPECT_THAT(found, SizeIs(11));
  EXPECT_THAT(found, Each(MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8},[0-9]{3} \\[[0-9]+\\] "
                                       "barman\\.test (DEBUG|INFO|WARNING|ERROR|CRITICAL): .*"
                                       "\\[main\\]")));
}

TEST_F(Log, TheFormOfTheUserIsThatOfEachLineToo) {
  set_line_format("%(asctime)s %(levelname)s %(message)s");
  set_server("main");
  error("barman.test", "a\nmore");
  EXPECT_THAT(lines(),
              AllOf(SizeIs(2), Each(MatchesRegex("[0-9-]+ [0-9:,]+ ERROR (a|more) \\[main\\]"))));
}

TEST_F(Log, TheServerIsThatOfTheScope) {
  info("barman.test", "before");
  {
    const ServerScope outer("alpha");
    {
      const ServerScope inner("beta");
      info("barman.test", "inside");
    }
    info("barman.test", "outside");
  }
  info("barman.test", "after");
  const std::vector<std::string> found = lines();
  ASSERT_THAT(found, SizeIs(4));
  EXPECT_THAT(found[0], ContainsRegex(": before$"));
  EXPECT_THAT(found[1], ContainsRegex(": inside \\[beta\\]$"));
  EXPECT_THAT(found[2], ContainsRegex(": outside \\[alpha\\]$"));
  EXPECT_THAT(found[3], ContainsRegex(": after$"));
}

TEST_F(Log, IsNoPlaceToLookAtWithoutAFile) {
  EXPECT_TRUE(has_file());
  open_log(std::nullopt, kNothing);
  EXPECT_FALSE(has_file());
  open_log(directory_.path(), kNothing);
  EXPECT_FALSE(has_file()) << "a directory cannot be opened";
}

}  // namespace
}  // namespace barman::log
