// Why a session could not be opened, as a value: the cause, the names that a cure needs, and the
// next step as something to paste. libpq has no codes for failed connections; the phrases of
// PostgreSQL 9.6 to 18 are known here and nowhere else.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace barman::postgres {

enum class ConnectCause {
  no_socket,         // no server behind the Unix socket
  socket_forbidden,  // its directory must not be entered
  refused,           // nobody listens there
  timeout,           // no answer: a firewall, or a host that is down
  unknown_host,      // the name service does not know it
  no_hba_entry,      // no line of pg_hba.conf fits
  hba_rejects,       // the line that fits rejects
  password_missing,  // the server asks for one
  password_wrong,
  authentication,  // peer, ident, certificate, …
  kerberos,
  role_missing,
  login_forbidden,  // a role without LOGIN
  database_missing,
  not_replication,    // a role without REPLICATION
  wal_senders,        // max_wal_senders
  too_many_sessions,  // max_connections
  starting,           // or stopping, or in recovery without hot standby
  unknown_service,    // of pg_service.conf
  tls,
  other,
};

// What libpq would read the password from.
enum class PasswordFile {
  absent,
  unreadable,  // belongs to somebody else
  too_open,    // libpq ignores it unless its mode is 0600 or stricter
  usable,
};

struct ConnectProblem {
  ConnectCause cause = ConnectCause::other;
  std::string message{};
  // Of the attempt, as far as the connection string, its defaults or the message tell.
  std::string host{};
  std::string port{};
  std::string user{};
  std::string database{};
  std::string ssl_mode{};
  std::string root_certificate{};
  bool is_replication = false;
  // This host as the server names it; "[local]" for a socket, "" when it has not said.
  std::string client_address{};
  // The server has spoken TLS in one of the attempts.
  bool has_tls = false;
  std::string password_file{};
  PasswordFile password_file_state = PasswordFile::usable;
};

// The cause and the names that are in `message`; the other members stay as they are.
void read_message(ConnectProblem& problem, std::string_view message);
// A look at `password_file`.
PasswordFile look_at_password_file(const std::string& path);

// The line that lets this user in: "hostssl replication streaming_barman 192.0.2.10/32
// scram-sha-256". An address that the server has not told is ADDRESS.
std::string hba_line(const ConnectProblem& problem);
// "pg:5432:*:barman:PASSWORD", with the escapes of the file.
std::string password_line(const ConnectProblem& problem);
// Kerberos knows who it is, and PostgreSQL does not let that one be the role.
bool is_other_principal(const ConnectProblem& problem);
// For max_wal_senders: more than the number that PostgreSQL has told.
int enough_wal_senders(const ConnectProblem& problem);
// What the user does next, one line.
std::string connect_next_step(const ConnectProblem& problem);

// Kind `connection`, the message of libpq, and connect_next_step() as its hint.
class ConnectError final : public Error {
 public:
  explicit ConnectError(ConnectProblem problem);
  const ConnectProblem& problem() const noexcept { return problem_; }

 private:
  ConnectProblem problem_;
};

// A name as pg_hba.conf and SQL want it: in double quotes unless it is plain.
std::string quoted_name(std::string_view name);

}  // namespace barman::postgres
