// The two sessions with PostgreSQL that the questions of one run share. Each question has a time
// limit of its own; one that a slow or locked server does not answer costs that limit only.
#pragma once

#include <exception>
#include <functional>
#include <optional>

#include "facts/deadline.h"
#include "postgres/connection.h"
#include "replication/system_identity.h"

namespace barman::check {

class SqlSession {
 public:
  using Open = std::function<postgres::Connection(const postgres::ConnectionLimits&)>;
  SqlSession(const facts::Deadline& deadline, Open open)
      : deadline_(deadline), open_(std::move(open)) {}

  // The session with the limit of one question; opened when needed, and again after a loss. After
  // an attempt to open it that failed, throws the same error at once.
  postgres::Connection& ready();
  // Whether ready() has a session.
  bool is_available();

 private:
  const facts::Deadline& deadline_;
  Open open_;
  std::optional<postgres::Connection> connection_;
  std::exception_ptr failure_;
};

// Who answers the replication connection, asked once.
class StreamingIdentity {
 public:
  StreamingIdentity(const facts::Deadline& deadline, SqlSession::Open open)
      : deadline_(deadline), open_(std::move(open)) {}

  // Throws the same error each time when there is no answer.
  const replication::SystemIdentity& get();

 private:
  const facts::Deadline& deadline_;
  SqlSession::Open open_;
  std::optional<replication::SystemIdentity> identity_;
  std::exception_ptr failure_;
};

}  // namespace barman::check
