#include "base/nearest.h"

#include <array>

#include <gtest/gtest.h>

namespace barman {
namespace {

constexpr std::array<std::string_view, 6> kWords = {"backup",       "restore",     "list-servers",
                                                    "list-backups", "show-backup", "check"};

TEST(EditDistance, CountsLetters) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("main", ""), 4U);
  EXPECT_EQ(edit_distance("", "main"), 4U);
  EXPECT_EQ(edit_distance("main", "main"), 0U);
  EXPECT_EQ(edit_distance("mian", "main"), 1U);
  EXPECT_EQ(edit_distance("restroe", "restore"), 1U);
  EXPECT_EQ(edit_distance("chek", "check"), 1U);
  EXPECT_EQ(edit_distance("checks", "check"), 1U);
  EXPECT_EQ(edit_distance("chock", "check"), 1U);
  EXPECT_EQ(edit_distance("MAIN", "main"), 0U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(FindNearest, TakesTheNearestOnly) {
  EXPECT_EQ(find_nearest("restroe", kWords), "restore");
  EXPECT_EQ(find_nearest("chek", kWords), "check");
  EXPECT_EQ(find_nearest("list-backup", kWords), "list-backups");
  EXPECT_EQ(find_nearest("back", kWords), "backup");
  EXPECT_EQ(find_nearest("showbackup", kWords), "show-backup");
  EXPECT_EQ(find_nearest("frobnicate", kWords), std::nullopt);
  EXPECT_EQ(find_nearest("x", kWords), std::nullopt);
  EXPECT_EQ(find_nearest("", kWords), std::nullopt);
  // Two begin with it.
  EXPECT_EQ(find_nearest("list", kWords), std::nullopt);
}

TEST(FindNearest, DoesNotChooseBetweenEquals) {
  constexpr std::array<std::string_view, 2> kServers = {"main1", "main2"};
  EXPECT_EQ(find_nearest("main3", kServers), std::nullopt);
  EXPECT_EQ(find_nearest("man1", kServers), "main1");
}

TEST(DidYouMean, IsASentenceOrNothing) {
  EXPECT_EQ(did_you_mean("chekc", kWords), "Did you mean 'check'?");
  EXPECT_EQ(did_you_mean("frobnicate", kWords), "");
  EXPECT_EQ(did_you_mean("20261130T023", kWords, 2), "");
}

}  // namespace
}  // namespace barman
