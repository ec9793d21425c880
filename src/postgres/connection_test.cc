#include "postgres/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_interrupt.h"

#include "postgres/conninfo.h"

namespace barman::postgres {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Connection, TellsWhereItWantedToConnectAndWhatToDo) {
  try {
    Connection::open(make_sql_conninfo("host=/nonexistent port=1 user=x password=secret"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::connection);
    EXPECT_THAT(error.message(), HasSubstr("/nonexistent/.s.PGSQL.1"));
    EXPECT_THAT(error.message(), Not(HasSubstr("secret")));
    EXPECT_THAT(error.hint(), HasSubstr("socket directory"));
  }
}

TEST(Connection, DoesNotConnectWhenAStopWasRequested) {
  TestInterrupt interrupt;
  interrupt.request();
  try {
    Connection::open("host=/nonexistent", {}, interrupt.get());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::interrupted);
  }
}

TEST(SqlError, HasTheKindThatItsSqlstateMeans) {
  EXPECT_EQ(SqlError("42501", "permission denied").kind(), ErrorKind::permission);
  EXPECT_EQ(SqlError("42710", "already exists").kind(), ErrorKind::conflict);
  EXPECT_EQ(SqlError("42704", "does not exist").kind(), ErrorKind::not_found);
  EXPECT_EQ(SqlError("55006", "slot is active").kind(), ErrorKind::conflict);
  EXPECT_EQ(SqlError("57P01", "terminating connection").kind(), ErrorKind::connection);
  EXPECT_EQ(SqlError("57014", "canceling statement").kind(), ErrorKind::remote);
  EXPECT_EQ(SqlError("57014", "canceling statement").sqlstate(), "57014");
}

}  // namespace
}  // namespace barman::postgres
