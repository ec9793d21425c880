#include "pipeline/relative_path.h"

#include <gtest/gtest.h>

#include "base/error.h"

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

TEST(RelativePath, JoinsOnlyWhatStaysBelow) {
  EXPECT_EQ(path_below("/b/data", "base/1/1259", "the archive"), "/b/data/base/1/1259");
  try {
    path_below("/b/data", "../../evil", "the primary node");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    EXPECT_EQ(error.message(),
              "the primary node names \"../../evil\", which is no path below \"/b/data\"");
  }
}

TEST(RelativePath, KnowsPlacesOfTablespaces) {
  EXPECT_EQ(tablespace_oid_of("pg_tblspc/16384"), 16384U);
  EXPECT_EQ(tablespace_oid_of("pg_tblspc/4294967295"), 4294967295U);
  for (const std::string_view path :
       {"pg_tblspc"sv, "pg_tblspc/"sv, "pg_tblspc/0"sv, "pg_tblspc/016384"sv, "pg_tblspc/+1"sv,
        "pg_tblspc/4294967296"sv, "pg_tblspc/16384/"sv, "pg_tblspc/16384/x"sv, "pg_tblspc/../x"sv,
        "./pg_tblspc/16384"sv, "/pg_tblspc/16384"sv, "pg_tblspc/1 "sv, "pg_tblspc/-1"sv})
    EXPECT_EQ(tablespace_oid_of(path), std::nullopt) << path;
  EXPECT_EQ(in_place_location(16384), "pg_tblspc/16384");
  EXPECT_TRUE(is_tablespace_location("/srv/space", 16384));
  EXPECT_TRUE(is_tablespace_location("pg_tblspc/16384", 16384));
  for (const std::string_view location :
       {"../../../evil"sv, "pg_tblspc/16385"sv, "pg_tblspc/../16384"sv, "evil"sv, ""sv, "/a\0b"sv})
    EXPECT_FALSE(is_tablespace_location(location, 16384)) << location;
  EXPECT_FALSE(is_tablespace_location("pg_tblspc/0", 0));
}

}  // namespace
}  // namespace barman::pipeline
