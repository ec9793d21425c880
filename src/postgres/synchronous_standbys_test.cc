#include "postgres/synchronous_standbys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace barman::postgres {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(SynchronousStandbys, AreThoseOfEachForm) {
  EXPECT_THAT(synchronous_standbys(""), IsEmpty());
  EXPECT_THAT(synchronous_standbys("s1"), ElementsAre("s1"));
  EXPECT_THAT(synchronous_standbys(" s1 ,s2"), ElementsAre("s1", "s2"));
  EXPECT_THAT(synchronous_standbys("2 (s1, s2, s3)"), ElementsAre("s1", "s2", "s3"));
  EXPECT_THAT(synchronous_standbys("FIRST 1(s1)"), ElementsAre("s1"));
  EXPECT_THAT(synchronous_standbys("ANY 1 (*)"), ElementsAre("*"));
}

TEST(SynchronousStandbys, MayHaveAnythingInQuotes) {
  EXPECT_THAT(synchronous_standbys(R"x("a, b", "c)", "say ""d""")x"),
              ElementsAre("a, b", "c)", "say \"d\""));
  EXPECT_THAT(synchronous_standbys(R"x("first (1)", s2)x"), ElementsAre("first (1)", "s2"));
  EXPECT_THAT(synchronous_standbys(R"x(ANY 1 (",", x))x"), ElementsAre(",", "x"));
}

TEST(SynchronousStandbys, OfBrokenTextAreThoseBeforeTheBreak) {
  EXPECT_THAT(synchronous_standbys("s1,,s2"), ElementsAre("s1"));
  EXPECT_THAT(synchronous_standbys("s1 s2"), ElementsAre("s1"));
  EXPECT_THAT(synchronous_standbys("(((("), IsEmpty());
  EXPECT_THAT(synchronous_standbys("\"s1"), ElementsAre("s1"));
}

TEST(SynchronousStandbys, AreComparedWithoutRegardToCase) {
  EXPECT_TRUE(is_synchronous_standby("barman_receive_wal", "barman_receive_wal"));
  EXPECT_TRUE(is_synchronous_standby("Barman_Receive_WAL", "barman_receive_wal"));
  EXPECT_TRUE(is_synchronous_standby("FIRST 1 (s1, *)", "barman_receive_wal"));
  EXPECT_FALSE(is_synchronous_standby("s1, s2", "barman_receive_wal"));
  EXPECT_FALSE(is_synchronous_standby("barman, receive_wal", "barman_receive_wal"));
  EXPECT_FALSE(is_synchronous_standby("", ""));
}

}  // namespace
}  // namespace barman::postgres
