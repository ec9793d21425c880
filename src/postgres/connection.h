// One session with a PostgreSQL server, SQL or replication, opened through libpq, so that TLS,
// .pgpass, service files and the environment work as with every other client.
//
// A Connection is owned by one thread. Nothing blocks beyond its limits: connecting, and waiting
// for answers, also end when the interrupt fires (a running statement is cancelled then). TCP
// keepalives tell within a minute of a peer that has vanished (unless the user sets them). There is
// no general query(): each question is a function in queries.h, and the replication commands live
// in replication/.
//
// Throws Error(connection) with libpq's message when the server cannot be reached or the session is
// lost, SqlError when a statement fails, Error(interrupted) on Ctrl-C.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/interrupt.h"

namespace barman::postgres {

// The server refused a statement. The kind follows from the SQLSTATE.
class SqlError : public Error {
 public:
  SqlError(std::string sqlstate, std::string message, std::string hint = {});
  const std::string& sqlstate() const noexcept { return sqlstate_; }

 private:
  std::string sqlstate_;
};

struct ConnectionLimits {
  // For the whole attempt, all hosts and addresses together; connect_timeout in the connection
  // string may shorten it.
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(60);
  // For each statement; zero means no limit.
  std::chrono::milliseconds statement_timeout = std::chrono::milliseconds(0);
};

class Connection {
 public:
  // `conninfo` comes from make_sql_conninfo() or make_replication_conninfo().
  static Connection open(const std::string& conninfo, const ConnectionLimits& limits = {},
                         const Interrupt& interrupt = {});

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  ~Connection();

  // As libpq numbers it: 150020, 90605.
  int server_version() const;
  // Of the process that serves the session; 0 when it is closed.
  int backend_pid() const;
  // For messages: the user of the session.
  std::string user() const;
  bool is_replication() const;
  // Whether libpq has not noticed a loss; only probe() in queries.h asks the server.
  bool is_open() const noexcept;
  // Sends Terminate and closes; further use throws Error(connection).
  void close() noexcept;

  // For the statements that follow; zero means no limit.
  void set_statement_timeout(std::chrono::milliseconds timeout);

  // What libpq_handle.h gives to the .cc files of postgres/ and replication/.
  struct State;
  State& state();
  const State& state() const;

 private:
  explicit Connection(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace barman::postgres
