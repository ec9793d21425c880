#include "postgres/grants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "postgres/versions.h"

namespace barman::postgres {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> rights(int version) {
  std::vector<std::string> result;
  for (const Grant& grant : needed_grants(version)) result.push_back(grant.right);
  return result;
}

TEST(Grants, FollowTheNamesOfTheVersion) {
  EXPECT_THAT(rights(kVersion15),
              ElementsAre("pg_read_all_settings", "pg_read_all_stats",
                          "EXECUTE ON FUNCTION pg_catalog.pg_switch_wal()",
                          "EXECUTE ON FUNCTION pg_catalog.pg_create_restore_point(text)",
                          "EXECUTE ON FUNCTION pg_catalog.pg_backup_start(text, boolean)",
                          "EXECUTE ON FUNCTION pg_catalog.pg_backup_stop(boolean)"));
  EXPECT_THAT(rights(kVersion14),
              Contains("EXECUTE ON FUNCTION pg_catalog.pg_start_backup(text, boolean, boolean)"));
  EXPECT_THAT(rights(kVersion14), Not(Contains(HasSubstr("pg_backup_start"))));
}

TEST(Grants, NamesOfRolesAreQuotedWhereTheyNeedIt) {
  const Grant grant{.condition = "", .right = "pg_monitor"};
  EXPECT_EQ(grant_statement(grant, "barman"), "GRANT pg_monitor TO barman;");
  EXPECT_EQ(grant_statement(grant, "Bar\"man"), "GRANT pg_monitor TO \"Bar\"\"man\";");
}

TEST(Grants, TheScriptMakesRolesWithoutPasswords) {
  const std::vector<std::string> lines = role_script("barman", "streaming_barman");
  EXPECT_THAT(lines, Contains("CREATE ROLE barman LOGIN;"));
  EXPECT_THAT(lines, Contains("CREATE ROLE streaming_barman LOGIN REPLICATION;"));
  EXPECT_THAT(lines, Contains("\\if :is_new"));
  EXPECT_THAT(lines, Not(Contains(HasSubstr("PASSWORD"))));
  // One role for both.
  EXPECT_EQ(std::ranges::count(role_script("b", "b"), std::string("\\if :missing")), 1);
}

}  // namespace
}  // namespace barman::postgres
