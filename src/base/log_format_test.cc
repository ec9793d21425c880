#include "base/log_format.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace barman::log {
namespace {

std::string rendered(std::string_view format) {
  return LineFormat::parse(format).render(
      {.time = {.microseconds = 1795225758'007606, .utc_offset_seconds = 3600},
       .process_id = 77,
       .component = "barman.cli",
       .level = "INFO",
       .level_number = 20,
       .message = "50% of (it)"});
}

std::string refusal_of(std::string_view format) {
  try {
    LineFormat::parse(format);
  } catch (const Error& error) {  // The text is what is looked at.
    return error.describe_with_hint();
  }
  return "accepted";
}

TEST(LineFormat, WritesWhatPythonWrites) {
  EXPECT_EQ(rendered("%(asctime)s [%(process)s] %(name)s %(levelname)s: %(message)s"),
            "2026-11-21 02:49:18,007 [77] barman.cli INFO: 50% of (it)");
  EXPECT_EQ(rendered("<%(levelname)-8s|%(levelname)8s|%(levelname).2s|%(levelno)d> %(message)s"),
            "<INFO    |    INFO|IN|20> 50% of (it)");
  EXPECT_EQ(rendered("%(msecs)03d %(process)05d %(created)f %(message)s"),
            "007 00077 1795225758.007606 50% of (it)");
}

// Barman replaces references of its configuration twice before the log sees the text.
TEST(LineFormat, TakesRepeatedPercentSigns) {
  EXPECT_EQ(rendered("%%%%(levelname)s %%%%(message)s"), "INFO 50% of (it)");
  EXPECT_EQ(rendered("%%(levelname)s %%(message)s"), "INFO 50% of (it)");
  EXPECT_EQ(rendered("100%%%%%%%% %%%%(message)s"), "100% 50% of (it)");
  EXPECT_EQ(rendered("100% %(message)s"), "100% 50% of (it)");
}

TEST(LineFormat, RefusesWhatItCannotWrite) {
  EXPECT_THAT(refusal_of("%(lineno)d %(message)s"),
              testing::AllOf(testing::StartsWith("log_format: %(lineno)s is not known"),
                             testing::HasSubstr("%(levelname)s")));
  EXPECT_THAT(refusal_of("%(asctime)s"), testing::HasSubstr("%(message)s is missing"));
  EXPECT_THAT(refusal_of("%(message"), testing::HasSubstr("not closed"));
  EXPECT_THAT(refusal_of("%(message)"), testing::HasSubstr("needs one of the letters"));
}

}  // namespace
}  // namespace barman::log
