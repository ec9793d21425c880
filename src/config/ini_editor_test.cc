#include "config/ini_editor.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace barman::config {
namespace {

std::string edit(std::string_view text, std::string_view section, std::string_view key,
                 std::string_view value) {
  return set_ini_value(text, section, key, value, "x.conf");
}

TEST(SetIniValue, MakesASectionAtTheEnd) {
  EXPECT_EQ(edit("", "a", "archiver", "on"), "[a]\narchiver = on\n");
  EXPECT_EQ(edit("# note\n[b]\nactive = false", "a", "archiver", "on"),
            "# note\n[b]\nactive = false\n\n[a]\narchiver = on\n");
}

TEST(SetIniValue, AddsAtTheEndOfTheSection) {
  EXPECT_EQ(edit("[a]\nx = 1\n# c\n\n[b]\ny = 2\n", "a", "z", "3"),
            "[a]\nx = 1\nz = 3\n# c\n\n[b]\ny = 2\n");
  EXPECT_EQ(edit("[a]\nx = 1\n[b]\n", "a", "z", "3"), "[a]\nx = 1\nz = 3\n[b]\n");
  EXPECT_EQ(edit("[a]", "a", "z", "3"), "[a]\nz = 3\n");
  EXPECT_EQ(edit("[a]\nx = 1\n  more\n[b]\n", "a", "z", "3"), "[a]\nx = 1\n  more\nz = 3\n[b]\n");
  EXPECT_EQ(edit("[a]\nx = 1\n[b]\n[a]\ny = 1\n", "a", "z", "3"),
            "[a]\nx = 1\n[b]\n[a]\ny = 1\nz = 3\n");
}

TEST(SetIniValue, ReplacesTheSettingThatCounts) {
  EXPECT_EQ(edit("[a]\nX:1 ; old\ny = 2\n", "a", "x", "2"), "[a]\nx = 2\ny = 2\n");
  EXPECT_EQ(edit("[a]\nx = 1\n  more\n\n  lines\ny = 2\n", "a", "x", "2"), "[a]\nx = 2\ny = 2\n");
  EXPECT_EQ(edit("[a]\nx = 1\nx = 2", "a", "x", "3"), "[a]\nx = 1\nx = 3\n");
  EXPECT_EQ(edit("[a]\r\nx = 1\r\ny = 2\r\n", "a", "x", "3"), "[a]\r\nx = 3\ny = 2\r\n");
  EXPECT_EQ(edit("[a]\nx = 1\n[b]\nx = 1\n", "b", "x", "3"), "[a]\nx = 1\n[b]\nx = 3\n");
  EXPECT_EQ(edit("[a]\nx = 1\n", "a", "x", ""), "[a]\nx = \n");
}

TEST(SetIniValue, RefusesALayoutInWhichMoreWouldChange) {
  // The next section header would become a continuation of the new line.
  EXPECT_THROW(edit("  [a]\n  x = 1\n  [b]\n  y = 1\n", "a", "z", "3"), Error);
  EXPECT_THROW(edit("[a]\nx = 1\n", "a", "x", "1\ny = 2"), Error);
  EXPECT_THROW(edit("nonsense", "a", "x", "1"), Error);
}

}  // namespace
}  // namespace barman::config
