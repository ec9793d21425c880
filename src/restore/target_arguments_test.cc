#include "restore/target_arguments.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <utility>

#include "base/error.h"

namespace barman::restore {
namespace {

command_line::ParsedArguments arguments_of(
    std::initializer_list<std::pair<std::string, std::string>> values) {
  command_line::ParsedArguments arguments;
  for (const auto& [key, value] : values) arguments.set(key, value);
  return arguments;
}

TEST(TargetArguments, AreTakenAsTheyStand) {
  const TargetRequest target = read_target(arguments_of({{"target_time", "2026-11-30 14:05"},
                                                         {"target_tli", "latest"},
                                                         {"exclusive", "true"},
                                                         {"target_action", "promote"}}));
  EXPECT_EQ(target.time, "2026-11-30 14:05");
  EXPECT_EQ(target.timeline->kind, wal::TimelineTarget::Kind::latest);
  EXPECT_TRUE(target.exclusive);
  EXPECT_FALSE(target.immediate);
  EXPECT_EQ(target.action, "promote");
  EXPECT_EQ(target.lsn, std::nullopt);
}

TEST(TargetArguments, RefuseATimelineThatIsNone) {
  EXPECT_EQ(read_timeline_target(arguments_of({})), std::nullopt);
  EXPECT_THROW(read_target(arguments_of({{"target_tli", "0"}})), Error);
}

}  // namespace
}  // namespace barman::restore
