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

TEST(MaskConninfo, HidesWhatLibpqDoesNotKnow) {
  EXPECT_EQ(mask_conninfo("host=pg pasword=hunter2 user=b"), "host=pg pasword=*REDACTED* user=b");
  EXPECT_EQ(mask_conninfo("host = pg  PASSWORD = 'a b' port=1"),
            "host = pg  PASSWORD = *REDACTED* port=1");
  EXPECT_EQ(mask_conninfo("host=pg password hunter2"), "host=pg *REDACTED* *REDACTED*");
  EXPECT_EQ(mask_conninfo("host=pg user='x pasword=hunter2"), "host=pg user=*REDACTED*");
  EXPECT_EQ(mask_conninfo("hunter2"), "*REDACTED*");
  EXPECT_EQ(mask_conninfo("sslpassword=x passwrd=y"), "sslpassword=*REDACTED* passwrd=*REDACTED*");
}

TEST(MaskConninfo, HidesPasswordsOfUris) {
  EXPECT_EQ(mask_conninfo("postgresql://u:p@x/@h:5432/db?pasword=q&sslmode=require&r"),
            "postgresql://u:*REDACTED*@h:5432/db?pasword=*REDACTED*&sslmode=require&*REDACTED*");
  EXPECT_EQ(mask_conninfo("postgres:/u:hunter2@h/db"), "*REDACTED*");
}

TEST(MaskConninfo, LeavesWhatIsRight) {
  for (const char* text :
       {"", "host", "host=/nowhere port = 5432 user='a b\\' c' dbname=postgres",
        "postgresql://u@h:5432/db?application_name=x", "service=main options='-c a=b'"}) {
    EXPECT_EQ(mask_conninfo(text), text);
  }
}

TEST(VisibleText, ShowsOrdersToTheTerminal) {
  EXPECT_EQ(visible_text("a\033]0;title\007b\033[2Jc\rd"), "a\\x1b]0;title\\x07b\\x1b[2Jc\\x0dd");
  EXPECT_EQ(visible_text("\xc2\x9b"
                         "31m"),
            "\\x9b31m");
  EXPECT_EQ(visible_text(std::string("\0\x7f", 2)), "\\x00\\x7f");
}

TEST(VisibleText, LeavesLettersLinesAndOurColours) {
  for (const char* text : {"", "Zürich\n\tnext line", "\033[31mERROR\033[0m: x", "\xc2\xa0"}) {
    EXPECT_EQ(visible_text(text), text);
  }
}

TEST(MaskSecrets, MasksOnce) {
  for (const char* text : {"password=x", "token: 'a b' c", "Bearer x", "--secret y"}) {
    EXPECT_EQ(mask_secrets(mask_secrets(text)), mask_secrets(text));
  }
}

}  // namespace
}  // namespace barman
