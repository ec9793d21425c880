#include "base/secrets.h"

#include <gtest/gtest.h>

namespace barman {
namespace {

TEST(MaskSecrets, HidesPasswordsOfConnectionStrings) {
  EXPECT_EQ(mask_secrets("host=a password = 'x y' user=b"), "host=a password = *REDACTED* user=b");
  EXPECT_EQ(mask_secrets("sslpassword=x host=a"), "sslpassword=*REDACTED* host=a");
  EXPECT_EQ(mask_secrets("postgresql://u:s3@h/db?password=q&x=y"),
            "postgresql://u:*REDACTED*@h/db?password=*REDACTED*&x=y");
}

TEST(MaskSecrets, HidesTheValuesOfNamesThatAreSecrets) {
  EXPECT_EQ(mask_secrets("PGPASSWORD=x psql -h a"), "PGPASSWORD=*REDACTED* psql -h a");
  EXPECT_EQ(mask_secrets("curl --token abc https://h/"), "curl --token *REDACTED* https://h/");
  EXPECT_EQ(mask_secrets("curl --api-key='a b' x"), "curl --api-key=*REDACTED* x");
  EXPECT_EQ(mask_secrets("AWS_SECRET_ACCESS_KEY: x, b: c"),
            "AWS_SECRET_ACCESS_KEY: *REDACTED*, b: c");
  EXPECT_EQ(mask_secrets("-H 'Authorization: Bearer abc.def' x"),
            "-H 'Authorization: Bearer *REDACTED*' x");
  EXPECT_EQ(mask_secrets("https://h/c?sv=1&sig=abc%3D&x=y"), "https://h/c?sv=1&sig=*REDACTED*&x=y");
  EXPECT_EQ(mask_secrets("{\"client_secret\": \"abc\", \"a\": \"b\"}"),
            "{\"client_secret\": *REDACTED*, \"a\": \"b\"}");
}

TEST(MaskSecrets, LeavesTheRest) {
  for (const char* text :
       {"", "host=a user=b", "password authentication failed for user \"x\"",
        "passfile=/home/barman/.pgpass host=a", "the token is old", "s3://secret-bucket/path",
        "encryption_passphrase_command = cat /key", "password", "token =", "design=3"}) {
    EXPECT_EQ(mask_secrets(text), text);
  }
}

TEST(MaskSecrets, MasksOnce) {
  for (const char* text : {"password=x", "token: 'a b' c", "Bearer x", "--secret y"}) {
    EXPECT_EQ(mask_secrets(mask_secrets(text)), mask_secrets(text));
  }
}

}  // namespace
}  // namespace barman
