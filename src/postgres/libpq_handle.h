// The only header that shows libpq. Included by .cc files of postgres/ and replication/ alone;
// libpq's types do not leave these two folders.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "postgres/connection.h"

namespace barman::postgres {

struct FinishConnection {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
};
struct ClearResult {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};
struct FreeLibpqMemory {
  void operator()(char* memory) const noexcept { PQfreemem(memory); }
};
using ConnectionHandle = std::unique_ptr<PGconn, FinishConnection>;
using ResultHandle = std::unique_ptr<PGresult, ClearResult>;
using CopyBuffer = std::unique_ptr<char, FreeLibpqMemory>;

struct Connection::State {
  ConnectionHandle handle;
  Interrupt interrupt;
  bool replication = false;
  std::chrono::milliseconds statement_timeout{0};
  // What the server was last told.
  std::chrono::milliseconds server_statement_timeout{0};
};

// The handle of an open connection; throws Error(connection) when it was closed or lost.
PGconn* handle_of(Connection& connection);
const Interrupt& interrupt_of(const Connection& connection);

// Waits until PQconsumeInput() has something to take in: at the socket, or already decrypted inside
// of the TLS library, where poll(2) cannot see it. -1 = no limit.
WaitResult wait_for_data(PGconn* handle, int timeout_ms, const Interrupt& interrupt);

// libpq's last message of this connection, stripped.
std::string last_message(const PGconn* handle);

// Runs one statement and returns its last result (PGRES_TUPLES_OK, PGRES_COMMAND_OK, or a COPY
// state: PGRES_COPY_OUT/IN/BOTH, in which case the connection is left in that state). Waits without
// blocking beyond the statement timeout and the interrupt. Throws SqlError or Error(connection).
ResultHandle execute(Connection& connection, const std::string& statement);
// The same with text parameters $1…; not for replication sessions.
ResultHandle execute(Connection& connection, const std::string& statement,
                     const std::vector<std::string>& parameters);

// Waits for the next result of what was sent; nullptr when there is no further one. Errors throw.
ResultHandle next_result(Connection& connection);

// Throws what a failed result says; `result` may be nullptr (the connection was lost).
[[noreturn]] void throw_result_error(Connection& connection, const PGresult* result);

// A field as text; nullopt for NULL.
std::optional<std::string> find_text(const PGresult* result, int row, int column);
// A field that cannot be NULL; throws `corrupt` if it is, or if the row or column is missing.
std::string get_text(const PGresult* result, int row, int column);

}  // namespace barman::postgres
