#include "pipeline/relative_path.h"

#include <gtest/gtest.h>

namespace barman::pipeline {
namespace {

using namespace std::string_view_literals;

TEST(RelativePath, AcceptsWhatStaysBelow) {
  for (const std::string_view path :
       {"PG_VERSION"sv, "base/1/1259"sv, "a..b/..c/d.."sv, ".hidden"sv})
    EXPECT_TRUE(is_safe_relative_path(path)) << path;
}

TEST(RelativePath, RejectsWhatLeadsOutOrNowhere) {
  for (const std::string_view path : {""sv, "/"sv, "/etc/passwd"sv, ".."sv, "../x"sv, "a/../b"sv,
                                      "a/.."sv, "."sv, "./a"sv, "a//b"sv, "a/"sv, "a\0b"sv})
    EXPECT_FALSE(is_safe_relative_path(path)) << path;
}

}  // namespace
}  // namespace barman::pipeline
