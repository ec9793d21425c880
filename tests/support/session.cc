#include "support/session.h"

#include <libpq-fe.h>

#include "base/error.h"
#include "base/text.h"

namespace barman::test {
namespace {

PGconn* raw(void* connection) { return static_cast<PGconn*>(connection); }

struct ResultClearer {
  void operator()(PGresult* result) const { PQclear(result); }
};

Rows rows_of(const PGresult* result) {
  Rows rows;
  for (int row = 0; row < PQntuples(result); ++row) {
    Row& values = rows.emplace_back();
    for (int column = 0; column < PQnfields(result); ++column) {
      const bool is_null = PQgetisnull(result, row, column) != 0;
      values.emplace_back(is_null ? "(null)" : PQgetvalue(result, row, column));
    }
  }
  return rows;
}

}  // namespace

void Session::Closer::operator()(void* connection) const { PQfinish(raw(connection)); }

Session::Session(const std::string& conninfo)
    : connection_(PQconnectdb((conninfo + " connect_timeout=10").c_str())) {
  PGconn* connection = raw(connection_.get());
  if (PQstatus(connection) != CONNECTION_OK) {
    throw Error(ErrorKind::connection, std::string(strip(PQerrorMessage(connection))));
  }
  // Notices ("there is no transaction in progress") are of no interest to tests.
  PQsetNoticeProcessor(
      connection, [](void*, const char*) {}, nullptr);
}

Rows Session::query(const std::string& sql) {
  PGconn* connection = raw(connection_.get());
  const std::unique_ptr<PGresult, ResultClearer> result(PQexec(connection, sql.c_str()));
  const ExecStatusType status = PQresultStatus(result.get());
  if (status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY) return {};
  if (status != PGRES_TUPLES_OK) {
    throw Error(ErrorKind::remote, std::string(strip(PQerrorMessage(connection))) + " in: " + sql);
  }
  return rows_of(result.get());
}

std::string Session::value(const std::string& sql) {
  const Rows rows = query(sql);
  if (rows.empty()) throw Error(ErrorKind::not_found, "no row from: " + sql);
  return rows.front().front();
}

}  // namespace barman::test
