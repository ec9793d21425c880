#include "base/text.h"

#include <gtest/gtest.h>

namespace barman {
namespace {

TEST(HumanSize, UsesOneDecimalFromKibibytesOn) {
  EXPECT_EQ(human_size(0), "0 B");
  EXPECT_EQ(human_size(-200), "-200 B");
  EXPECT_EQ(human_size(1023), "1023 B");
  EXPECT_EQ(human_size(16486), "16.1 KiB");
  EXPECT_EQ(human_size(40276048), "38.4 MiB");
}

TEST(HumanDuration, DropsZeroPartsAndFractions) {
  EXPECT_EQ(human_duration(0.9), "less than one second");
  EXPECT_EQ(human_duration(1), "1 second");
  EXPECT_EQ(human_duration(152.7), "2 minutes, 32 seconds");
  EXPECT_EQ(human_duration(86401), "1 day, 1 second");
  EXPECT_EQ(human_duration(-60), "1 minute ago");
}

TEST(ShortestFloat, LooksLikePython) {
  EXPECT_EQ(shortest_float(5), "5.0");
  EXPECT_EQ(shortest_float(5.00304), "5.00304");
  EXPECT_EQ(shortest_float(1e-05), "1e-05");
  EXPECT_EQ(shortest_float(1795225416.4135256), "1795225416.4135256");
}

TEST(MaskPasswords, HidesKeywordAndUriForms) {
  EXPECT_EQ(mask_passwords("host=a password=secret user=b"), "host=a password=*REDACTED* user=b");
  EXPECT_EQ(mask_passwords("password='a b' x=1"), "password=*REDACTED* x=1");
  EXPECT_EQ(mask_passwords("conninfo: password=x\n\tnext"),
            "conninfo: password=*REDACTED*\n\tnext");
  EXPECT_EQ(mask_passwords("postgresql://u:s3@h/db"), "postgresql://u:*REDACTED*@h/db");
  EXPECT_EQ(mask_passwords("postgresql://h:5432/db"), "postgresql://h:5432/db");
  EXPECT_EQ(mask_passwords("postgresql://h/db?password=s3&user=u"),
            "postgresql://h/db?password=*REDACTED*&user=u");
}

TEST(MaskPasswords, KnowsBlanksAroundTheSign) {
  EXPECT_EQ(mask_passwords("user=b password = x host=a"), "user=b password = *REDACTED* host=a");
  EXPECT_EQ(mask_passwords("PASSWORD\t=  'a b'"), "PASSWORD\t=  *REDACTED*");
  EXPECT_EQ(mask_passwords("the password of x = y"), "the password of x = y");
  EXPECT_EQ(mask_passwords("a=b password"), "a=b password");
}

TEST(MaskPasswords, HidesThePasswordOfSshpass) {
  EXPECT_EQ(mask_passwords("sshpass -p hunter2 ssh barman@pg"),
            "sshpass -p *REDACTED* ssh barman@pg");
  EXPECT_EQ(mask_passwords("sshpass -phunter2 ssh pg"), "sshpass -p*REDACTED* ssh pg");
  EXPECT_EQ(mask_passwords("sshpass -f /etc/x ssh pg"), "sshpass -f /etc/x ssh pg");
}

TEST(MaskPasswords, HidesEverythingBehindWrongQuotes) {
  EXPECT_EQ(mask_passwords(R"(user=b password='it''s \' x' host=a)"), "user=b password=*REDACTED*");
  EXPECT_EQ(mask_passwords("password='ab'cd host=a"), "password=*REDACTED*");
  EXPECT_EQ(mask_passwords("password='ab"), "password=*REDACTED*");
  EXPECT_EQ(mask_passwords("password=it's host=a"), "password=*REDACTED* host=a");
  EXPECT_EQ(mask_passwords("\"password='a b'\", 'password=x', c"),
            "\"password=*REDACTED*\", 'password=*REDACTED*', c");
}

TEST(MaskPasswords, ChangesNothingThatIsMasked) {
  const std::string masked = mask_passwords("{\"a\": \"password=x\\ny\"}, \"b\"");
  EXPECT_EQ(mask_passwords("password=*REDACTED*\\nmore"), "password=*REDACTED*\\nmore");
  EXPECT_EQ(mask_passwords(masked), masked);
}

TEST(ShellQuote, SurvivesQuotes) { EXPECT_EQ(shell_quote("a'b"), "'a'\\''b'"); }

TEST(ParseInteger, TakesWholeTextsOnly) {
  EXPECT_EQ(parse_integer("42"), 42);
  EXPECT_EQ(parse_integer("-1"), -1);
  EXPECT_FALSE(parse_integer("4x"));
  EXPECT_FALSE(parse_integer(""));
}

}  // namespace
}  // namespace barman
