#include "postgres/conninfo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace barman::postgres {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Conninfo, AcceptsWhatLibpqAccepts) {
  EXPECT_EQ(conninfo_error("host=pg user=barman dbname=postgres"), std::nullopt);
  EXPECT_EQ(conninfo_error("host = pg password = 'a b\\'c'"), std::nullopt);
  EXPECT_EQ(conninfo_error("postgresql://barman:secret@pg:5433/postgres?sslmode=require"),
            std::nullopt);
  EXPECT_EQ(conninfo_error("service=main"), std::nullopt);
}

TEST(Conninfo, NamesAnInvalidString) {
  EXPECT_EQ(conninfo_error("host"),
            "Cannot connect to postgres: \"host\" is not a valid connection string");
  EXPECT_TRUE(conninfo_error("hots=pg"));
}

TEST(Conninfo, KeepsPasswordsOutOfTheMessage) {
  for (const std::string conninfo :
       {"host=pg password=my secret", "password = secret host", "host=pg password='my secret",
        "postgresql://barman:secret@pg?nonsense=1", "PASSWORD=secret"}) {
    const std::optional<std::string> message = conninfo_error(conninfo);
    ASSERT_TRUE(message) << conninfo;
    EXPECT_THAT(*message, Not(HasSubstr("secret")));
    EXPECT_THAT(*message, HasSubstr("is not a valid connection string"));
  }
}

TEST(Conninfo, FindsParametersInWordsAndUris) {
  EXPECT_TRUE(has_parameter("host=pg application_name=x", "application_name"));
  EXPECT_TRUE(has_parameter("postgresql://pg/db?application_name=x", "application_name"));
  EXPECT_FALSE(has_parameter("host=pg password='application_name=x'", "application_name"));
  EXPECT_FALSE(has_parameter("nonsense", "application_name"));
  EXPECT_EQ(find_parameter("postgresql://pg:5433/db", "port"), "5433");
}

TEST(Conninfo, BuildsTheReplicationStringOfBarman) {
  EXPECT_EQ(make_replication_conninfo("host=pg port=5432 user=streaming_barman",
                                      "barman_streaming_backup"),
            "application_name=barman_streaming_backup dbname=replication host=pg "
            "options=-cdatestyle=iso port=5432 replication=true user=streaming_barman");
}

TEST(Conninfo, ReplacesDatabaseAndOptionsOfReplicationButKeepsTheApplicationName) {
  EXPECT_EQ(make_replication_conninfo(
                "postgresql://pg/postgres?options=-cwork_mem%3D1MB&application_name=mine", "other"),
            "application_name=mine dbname=replication host=pg options=-cdatestyle=iso "
            "replication=true");
}

TEST(Conninfo, QuotesValuesSoThatTheyComeBackUnchanged) {
  const std::string conninfo = make_sql_conninfo("host=pg password='a b\\'c\\\\d' user=''");
  EXPECT_EQ(find_parameter(conninfo, "password"), "a b'c\\d");
  EXPECT_EQ(find_parameter(conninfo, "user"), "");
  EXPECT_EQ(find_parameter(conninfo, "application_name"), "barman");
}

TEST(Conninfo, TellsWhetherTwoStringsLeadToOnePlace) {
  EXPECT_TRUE(have_same_place("host=pg user=barman dbname=postgres", "user=streaming host=pg"));
  EXPECT_TRUE(have_same_place("host=pg port=5432", "postgresql://other@pg:5432/x"));
  EXPECT_FALSE(have_same_place("host=pg", "host=pg port=5433"));
  EXPECT_FALSE(have_same_place("host=standby", "host=primary"));
}

TEST(Conninfo, IsMovedToAnotherPlaceWithItsUser) {
  EXPECT_EQ(move_conninfo("host=a hostaddr=10.0.0.1 port=1 user=barman dbname=x", "host=b user=s"),
            "dbname=x host=b user=barman");
  EXPECT_EQ(with_database("host=b user=s replication=true", "x"), "dbname=x host=b user=s");
  EXPECT_EQ(with_database("host=b dbname=y", "x"), "dbname=y host=b");
}

TEST(Conninfo, HasNoGssEncryption) {
  EXPECT_EQ(without_gss_encryption("host=a user=b"), "gssencmode=disable host=a user=b");
  EXPECT_EQ(without_gss_encryption("host=a gssencmode=prefer"), "gssencmode=disable host=a");
  EXPECT_EQ(without_gss_encryption("nonsense"), "nonsense");
  try {
    without_gss_encryption("host=a gssencmode=require");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_NE(error.message().find("gssencmode=require is not supported"), std::string::npos);
  }
}

TEST(Conninfo, ThrowsForAnInvalidString) {
  try {
    make_sql_conninfo("host");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_EQ(error.message(),
              "Cannot connect to postgres: \"host\" is not a valid connection string");
  }
}

}  // namespace
}  // namespace barman::postgres
