#include "command_line/argument_value.h"

#include <gtest/gtest.h>

namespace barman::command_line {
namespace {

std::string problem(ValueKind kind, std::string_view value) {
  return value_problem(kind, {}, value).value_or("");
}

TEST(ArgumentValue, ChecksTimelines) {
  EXPECT_EQ(problem(ValueKind::timeline, "current"), "");
  EXPECT_EQ(problem(ValueKind::timeline, "latest"), "");
  EXPECT_EQ(problem(ValueKind::timeline, "3"), "");
  EXPECT_EQ(problem(ValueKind::timeline, "0"),
            "'0' is not a valid positive integer (give a number, 'current' or 'latest')");
  EXPECT_EQ(problem(ValueKind::timeline, "newest"),
            "'newest' is not a valid input (give a number, 'current' or 'latest')");
}

TEST(ArgumentValue, ChecksNumbers) {
  EXPECT_EQ(problem(ValueKind::non_negative, "0"), "");
  EXPECT_EQ(problem(ValueKind::non_negative, "-1"), "'-1' is not a valid non negative integer");
  EXPECT_EQ(problem(ValueKind::positive, "12"), "");
  EXPECT_EQ(problem(ValueKind::positive, "1.5"), "'1.5' is not a valid input");
  EXPECT_EQ(problem(ValueKind::positive, ""), "'' is not a valid input");
}

TEST(ArgumentValue, ChecksBackupNames) {
  EXPECT_EQ(problem(ValueKind::backup_name, "nightly"), "");
  EXPECT_EQ(problem(ValueKind::backup_name, ""), "Backup name cannot be empty");
  EXPECT_EQ(problem(ValueKind::backup_name, "20200101T000000"),
            "Backup name '20200101T000000' is not allowed: backup ID");
  EXPECT_EQ(problem(ValueKind::backup_name, "20200101T00000"), "");
  for (const std::string_view word :
       {"latest", "last", "oldest", "first", "last-failed", "latest-full", "last-full", "auto"}) {
    EXPECT_NE(problem(ValueKind::backup_name, word), "") << word;
  }
}

TEST(ArgumentValue, WantsAbsolutePaths) {
  EXPECT_EQ(problem(ValueKind::absolute_path, "/tmp"), "");
  EXPECT_NE(problem(ValueKind::absolute_path, "rel"), "");
}

TEST(StagingSize, KnowsDecimalAndBinaryUnits) {
  EXPECT_EQ(parse_staging_size("10"), 10U);
  EXPECT_EQ(parse_staging_size("10k"), 10'000U);
  EXPECT_EQ(parse_staging_size("10Ki"), 10'240U);
  EXPECT_EQ(parse_staging_size("2Gi"), std::uint64_t{2} << 30U);
  EXPECT_EQ(parse_staging_size("1T"), 1'000'000'000'000U);
}

TEST(StagingSize, RefusesOtherForms) {
  for (const std::string_view text :
       {"10GB", "10K", "10gi", "", "Gi", "-1", "1.5G", "99999999999Ti"}) {
    EXPECT_EQ(parse_staging_size(text), std::nullopt) << text;
  }
}

TEST(TransferSize, HasUnitsOfItsOwn) {
  EXPECT_EQ(parse_transfer_size("1234"), 1234U);
  EXPECT_EQ(parse_transfer_size("1234b"), 1234U);
  EXPECT_EQ(parse_transfer_size("100GB"), std::uint64_t{100} << 30U);
  EXPECT_EQ(parse_transfer_size("1GiB"), 1'000'000'000U);
  EXPECT_EQ(parse_transfer_size("1.5kb"), 1536U);
}

TEST(TransferSize, RefusesOtherForms) {
  for (const std::string_view text : {"5G", "0", "", "B", "GB", "-1", "1.5", "1.5B", "iB", "10 MB",
                                      "1e3", "0.0001KB", "99999YB"}) {
    EXPECT_EQ(parse_transfer_size(text), std::nullopt) << text;
  }
}

TEST(ObjectTag, IsDividedAtTheFirstComma) {
  EXPECT_EQ(parse_object_tag("team, data base")->first, "team");
  EXPECT_EQ(parse_object_tag("team, data base ")->second, "data base");
  EXPECT_EQ(parse_object_tag("k,")->second, "");
  for (const std::string_view text : {"k", ",v", "aws:k,v", "AWS:k,v", "k,a,b", "k!,v"}) {
    EXPECT_EQ(parse_object_tag(text), std::nullopt) << text;
  }
  EXPECT_EQ(parse_object_tag(std::string(129, 'k') + ",v"), std::nullopt);
}

}  // namespace
}  // namespace barman::command_line
