#include "doctor/examine_server.h"

#include <gtest/gtest.h>

namespace barman::doctor {
namespace {

TEST(OwnAddress, IsTheOneOfTheWayToTheServer) {
  EXPECT_EQ(own_address("127.0.0.1", "5432"), "127.0.0.1");
  EXPECT_EQ(own_address("::1", ""), "::1");
}

TEST(OwnAddress, ThereIsNoneOfASocketOrAnUnknownPlace) {
  EXPECT_EQ(own_address("/var/run/postgresql", "5432"), "");
  EXPECT_EQ(own_address("", "5432"), "");
  EXPECT_EQ(own_address("127.0.0.1", "no such port"), "");
}

}  // namespace
}  // namespace barman::doctor
