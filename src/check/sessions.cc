#include "check/sessions.h"

#include "base/error.h"

namespace barman::check {

postgres::Connection& SqlSession::ready() {
  if (failure_) std::rethrow_exception(failure_);
  const postgres::ConnectionLimits limits = deadline_.item_limits();
  if (!connection_ || !connection_->is_open()) {
    try {
      connection_ = open_(limits);
    } catch (const Error&) {
      failure_ = std::current_exception();
      throw;
    }
  }
  connection_->set_statement_timeout(limits.statement_timeout);
  return *connection_;
}

bool SqlSession::is_available() {
  try {
    ready();
    return true;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    return false;
  }
}

const replication::SystemIdentity& StreamingIdentity::get() {
  if (failure_) std::rethrow_exception(failure_);
  if (!identity_) {
    try {
      postgres::Connection connection = open_(deadline_.item_limits());
      identity_ = replication::identify_system(connection);
    } catch (const Error&) {
      failure_ = std::current_exception();
      throw;
    }
  }
  return *identity_;
}

}  // namespace barman::check
