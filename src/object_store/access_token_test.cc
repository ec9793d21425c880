#include "object_store/access_token.h"

#include <gtest/gtest.h>

namespace barman::object_store {
namespace {

TEST(AccessToken, IsReadAsItIsTold) {
  const Timestamp now{.microseconds = 1'000'000'000'000'000};
  const auto token = parse_access_token(
      R"({"access_token": "t", "expires_in": 3599, "token_type": "Bearer"})", now);
  ASSERT_TRUE(token);
  EXPECT_EQ(token->token, "t");
  EXPECT_EQ(token->expires->seconds(), 1'000'003'599);
  EXPECT_EQ(parse_access_token(R"({"access_token": "t", "expires_on": "1795978800"})", now)
                ->expires->seconds(),
            1'795'978'800);
  EXPECT_EQ(parse_access_token(R"({"accessToken": "t", "expireTime": "2026-11-29T19:00:00Z"})", now)
                ->expires->seconds(),
            1'795'978'800);
  for (const char* bad : {"", "{}", "[]", R"({"access_token": ""})",
                          R"({"access_token": "a\nHost: b"})", R"({"error": "x"})"}) {
    EXPECT_FALSE(parse_access_token(bad, now)) << bad;
  }
}

}  // namespace
}  // namespace barman::object_store
