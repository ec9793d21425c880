#include "postgres/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>

#include <openssl/ssl.h>

#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "postgres/connect_problem.h"
#include "postgres/conninfo.h"
#include "postgres/libpq_handle.h"

namespace barman::postgres {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// How much longer than the server's statement_timeout we wait before we give the session up: half
// of it, so that short limits stay short.
constexpr milliseconds kMinAnswerGrace{250};
constexpr milliseconds kMaxAnswerGrace = std::chrono::seconds(5);
// For the answer to a cancel request.
constexpr milliseconds kCancelGrace = std::chrono::seconds(5);

constexpr int kKeepaliveIdleSeconds = 30;
constexpr int kKeepaliveIntervalSeconds = 10;
constexpr int kKeepaliveCount = 3;

struct FreeConninfoOptions {
  void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
};

// What the attempt used, defaults and service file included; the password is not looked at.
ConnectProblem describe_attempt(PGconn* handle) {
  ConnectProblem problem;
  const std::unique_ptr<PQconninfoOption, FreeConninfoOptions> options(PQconninfo(handle));
  for (const PQconninfoOption* option = options.get();
       option != nullptr && option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    const std::string_view keyword = option->keyword;
    if (keyword == "host") problem.host = option->val;
    if (keyword == "port") problem.port = option->val;
    if (keyword == "user") problem.user = option->val;
    if (keyword == "dbname") problem.database = option->val;
    if (keyword == "sslmode") problem.ssl_mode = option->val;
    if (keyword == "sslrootcert") problem.root_certificate = option->val;
    if (keyword == "passfile") problem.password_file = option->val;
    if (keyword == "replication") problem.is_replication = option->val[0] != '\0';
  }
  problem.password_file_state = look_at_password_file(problem.password_file);
  return problem;
}

[[noreturn]] void throw_connect_error(PGconn* handle) {
  const std::string message = last_message(handle);
  ConnectProblem problem = describe_attempt(handle);
  read_message(problem, message.empty() ? "cannot connect to PostgreSQL" : message);
  if (PQconnectionNeedsPassword(handle) != 0) problem.cause = ConnectCause::password_missing;
  throw ConnectError(std::move(problem));
}

[[noreturn]] void throw_connect_timeout(PGconn* handle, milliseconds timeout) {
  const char* host = PQhost(handle);
  ConnectProblem problem = describe_attempt(handle);
  problem.message = fmt::format("connection to PostgreSQL on \"{}\" timed out after {} seconds",
                                host != nullptr ? host : "", (timeout.count() + 999) / 1000);
  problem.cause = ConnectCause::timeout;
  throw ConnectError(std::move(problem));
}

void log_notice(void*, const char* text) {
  log::debug(log::kPostgresComponent, "{}", strip(text != nullptr ? text : ""));
}

// libpq applies connect_timeout only in its blocking functions: for each host, at least two
// seconds.
milliseconds effective_timeout(PGconn* handle, milliseconds timeout) {
  const std::unique_ptr<PQconninfoOption, FreeConninfoOptions> options(PQconninfo(handle));
  std::int64_t seconds = 0;
  std::int64_t host_count = 1;
  for (const PQconninfoOption* option = options.get();
       option != nullptr && option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    const std::string_view keyword = option->keyword;
    const std::string_view value = option->val;
    if (keyword == "connect_timeout") seconds = parse_integer(strip(value)).value_or(0);
    if (keyword == "host" || keyword == "hostaddr") {
      host_count =
          std::max<std::int64_t>(host_count, 1 + std::count(value.begin(), value.end(), ','));
    }
  }
  if (seconds <= 0 || seconds > 86400) return timeout;
  const milliseconds wanted = std::chrono::seconds(std::max<std::int64_t>(seconds, 2) * host_count);
  return timeout.count() > 0 ? std::min(timeout, wanted) : wanted;
}

// -1 without a deadline, else what is left, at least 0.
int rest_ms(const std::optional<Clock::time_point>& deadline) {
  if (!deadline) return -1;
  const auto rest = std::chrono::ceil<milliseconds>(*deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(rest, 0, 1'000'000'000));
}

void connect(PGconn* handle, milliseconds timeout, const Interrupt& interrupt) {
  if (PQstatus(handle) == CONNECTION_BAD) throw_connect_error(handle);
  const milliseconds limit = effective_timeout(handle, timeout);
  std::optional<Clock::time_point> deadline;
  if (limit.count() > 0) deadline = Clock::now() + limit;
  PostgresPollingStatusType status = PGRES_POLLING_WRITING;
  while (status != PGRES_POLLING_OK) {
    if (status == PGRES_POLLING_FAILED) throw_connect_error(handle);
    const WaitFor what = status == PGRES_POLLING_READING ? WaitFor::readable : WaitFor::writable;
    switch (wait_for_fd(PQsocket(handle), what, rest_ms(deadline), interrupt)) {
      case WaitResult::ready:
        break;
      case WaitResult::timeout:
        throw_connect_timeout(handle, limit);
      case WaitResult::interrupted:
        interrupt.throw_if_requested();
        throw Error(ErrorKind::interrupted, "interrupted while connecting to PostgreSQL");
    }
    status = PQconnectPoll(handle);
  }
}

// Makes the kernel notice a peer that is gone within about a minute instead of two hours, also when
// what was sent is not acknowledged, unless the connection string says something about it itself.
void notice_dead_peer(PGconn* handle) {
  const std::unique_ptr<PQconninfoOption, FreeConninfoOptions> options(PQconninfo(handle));
  for (const PQconninfoOption* option = options.get();
       option != nullptr && option->keyword != nullptr; ++option) {
    const std::string_view keyword = option->keyword;
    if (!keyword.starts_with("keepalives") && keyword != "tcp_user_timeout") continue;
    // libpq's default is keepalives=1 with the kernel's times.
    const bool is_default =
        keyword == "keepalives" && option->val != nullptr && std::string_view(option->val) == "1";
    if (option->val != nullptr && option->val[0] != '\0' && !is_default) return;
  }
  // Fails on Unix sockets, where it is not needed.
  const int fd = PQsocket(handle);
  const int on = 1;
  static_cast<void>(::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on));
  const auto set = [fd](int option, int value) {
    static_cast<void>(::setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value));
  };
  set(TCP_KEEPIDLE, kKeepaliveIdleSeconds);
  set(TCP_KEEPINTVL, kKeepaliveIntervalSeconds);
  set(TCP_KEEPCNT, kKeepaliveCount);
  set(TCP_USER_TIMEOUT,
      (kKeepaliveIdleSeconds + kKeepaliveIntervalSeconds * kKeepaliveCount) * 1000);
}

ErrorKind kind_of_sqlstate(std::string_view sqlstate) {
  const std::string_view sql_class = sqlstate.substr(0, 2);
  if (sql_class == "08" || sqlstate == "57P01" || sqlstate == "57P02" || sqlstate == "57P03")
    return ErrorKind::connection;
  if (sqlstate == "42501" || sql_class == "28") return ErrorKind::permission;
  if (sqlstate == "42704" || sqlstate == "42883" || sqlstate == "58P01")
    return ErrorKind::not_found;
  if (sqlstate == "42710" || sqlstate == "55006") return ErrorKind::conflict;
  return ErrorKind::remote;
}

bool is_copy(ExecStatusType status) {
  return status == PGRES_COPY_OUT || status == PGRES_COPY_IN || status == PGRES_COPY_BOTH;
}

bool is_success(ExecStatusType status) {
  return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY ||
         is_copy(status);
}

[[noreturn]] void throw_lost(Connection& connection) {
  Connection::State& state = connection.state();
  const std::string message = last_message(state.handle.get());
  state.handle.reset();
  throw Error(ErrorKind::connection,
              "lost the connection to PostgreSQL" + (message.empty() ? "" : ": " + message),
              "Check that PostgreSQL still runs, and its log.");
}

// Asks the server to stop what it does, and waits a moment until it has, so that the session can be
// used for cleaning up.
void cancel_statement(PGconn* handle) {
  struct FreeCancel {
    void operator()(PGcancel* cancel) const noexcept { PQfreeCancel(cancel); }
  };
  const std::unique_ptr<PGcancel, FreeCancel> cancel(PQgetCancel(handle));
  std::array<char, 256> message = {};
  if (!cancel || PQcancel(cancel.get(), message.data(), static_cast<int>(message.size())) == 0)
    return;
  const auto deadline = Clock::now() + kCancelGrace;
  for (;;) {
    while (PQisBusy(handle) != 0) {
      if (wait_for_data(handle, rest_ms(deadline), Interrupt()) != WaitResult::ready ||
          PQconsumeInput(handle) == 0)
        return;
    }
    const ResultHandle result(PQgetResult(handle));
    if (!result || is_copy(PQresultStatus(result.get()))) return;
  }
}

// Waits until PQgetResult() will not block.
void wait_until_ready(Connection& connection, const std::optional<Clock::time_point>& deadline) {
  PGconn* handle = handle_of(connection);
  const Interrupt& interrupt = interrupt_of(connection);
  while (PQisBusy(handle) != 0) {
    switch (wait_for_data(handle, rest_ms(deadline), interrupt)) {
      case WaitResult::ready:
        if (PQconsumeInput(handle) == 0) throw_lost(connection);
        break;
      case WaitResult::timeout:
        connection.close();
        throw Error(ErrorKind::connection, "PostgreSQL did not answer in time",
                    "Check the load of the server and the network.");
      case WaitResult::interrupted:
        cancel_statement(handle);
        interrupt.throw_if_requested();
        throw Error(ErrorKind::interrupted, "interrupted while waiting for PostgreSQL");
    }
  }
}

std::optional<Clock::time_point> answer_deadline(const Connection::State& state) {
  if (state.statement_timeout.count() <= 0) return std::nullopt;
  if (state.replication) return Clock::now() + state.statement_timeout;
  return Clock::now() + state.statement_timeout +
         std::clamp(state.statement_timeout / 2, kMinAnswerGrace, kMaxAnswerGrace);
}

// Reads the results of what was sent up to the last one, or up to the beginning of a COPY.
ResultHandle collect(Connection& connection) {
  const std::optional<Clock::time_point> deadline = answer_deadline(connection.state());
  ResultHandle last;
  ResultHandle failed;
  for (;;) {
    wait_until_ready(connection, deadline);
    ResultHandle result(PQgetResult(handle_of(connection)));
    if (!result) break;
    const ExecStatusType status = PQresultStatus(result.get());
    if (is_copy(status)) return result;
    if (!is_success(status) && !failed) failed = std::move(result);
    if (result) last = std::move(result);
  }
  if (failed) throw_result_error(connection, failed.get());
  if (!last) throw_lost(connection);
  return last;
}

ResultHandle run(Connection& connection, const std::string& statement) {
  if (PQsendQuery(handle_of(connection), statement.c_str()) == 0) throw_lost(connection);
  return collect(connection);
}

void tell_statement_timeout(Connection& connection) {
  Connection::State& state = connection.state();
  if (state.replication || state.server_statement_timeout == state.statement_timeout) return;
  run(connection, fmt::format("SET statement_timeout TO {}", state.statement_timeout.count()));
  state.server_statement_timeout = state.statement_timeout;
}

}  // namespace

SqlError::SqlError(std::string sqlstate, std::string message, std::string hint)
    : Error(kind_of_sqlstate(sqlstate), std::move(message), std::move(hint)),
      sqlstate_(std::move(sqlstate)) {}

Connection::Connection(std::unique_ptr<State> state) : state_(std::move(state)) {}
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;
Connection::State& Connection::state() { return *state_; }
const Connection::State& Connection::state() const { return *state_; }

Connection Connection::open(const std::string& conninfo, const ConnectionLimits& limits,
                            const Interrupt& interrupt) {
  interrupt.throw_if_requested();
  auto state = std::make_unique<State>();
  state->interrupt = interrupt;
  state->statement_timeout = limits.statement_timeout;
  state->replication = has_parameter(conninfo, "replication");
  state->handle.reset(PQconnectStart(without_gss_encryption(conninfo).c_str()));
  if (!state->handle) throw Error(ErrorKind::internal, "out of memory while connecting");
  PQsetNoticeProcessor(state->handle.get(), log_notice, nullptr);
  connect(state->handle.get(), limits.connect_timeout, interrupt);
  notice_dead_peer(state->handle.get());
  Connection connection(std::move(state));
  if (!connection.is_replication()) {
    // The answers do not depend on the settings of the role or of the database.
    run(connection,
        fmt::format("SET datestyle TO ISO; SET search_path TO ''; SET statement_timeout TO {}",
                    limits.statement_timeout.count()));
    connection.state().server_statement_timeout = limits.statement_timeout;
  }
  return connection;
}

int Connection::server_version() const {
  return state_->handle ? PQserverVersion(state_->handle.get()) : 0;
}

int Connection::backend_pid() const {
  return state_->handle ? PQbackendPID(state_->handle.get()) : 0;
}

std::string Connection::user() const {
  const char* user = state_->handle ? PQuser(state_->handle.get()) : nullptr;
  return user != nullptr ? user : "";
}

bool Connection::is_replication() const { return state_->replication; }

bool Connection::is_open() const noexcept {
  return state_ && state_->handle && PQstatus(state_->handle.get()) == CONNECTION_OK;
}

void Connection::close() noexcept {
  if (state_) state_->handle.reset();
}

void Connection::set_statement_timeout(std::chrono::milliseconds timeout) {
  state_->statement_timeout = timeout;
}

PGconn* handle_of(Connection& connection) {
  if (!connection.is_open()) {
    throw Error(ErrorKind::connection, "the connection to PostgreSQL is closed",
                "Check that PostgreSQL still runs, and its log.");
  }
  return connection.state().handle.get();
}

const Interrupt& interrupt_of(const Connection& connection) { return connection.state().interrupt; }

WaitResult wait_for_data(PGconn* handle, int timeout_ms, const Interrupt& interrupt) {
  auto* const tls = static_cast<SSL*>(PQsslStruct(handle, "OpenSSL"));
  if (tls != nullptr && SSL_pending(tls) > 0) {
    return interrupt.is_requested() ? WaitResult::interrupted : WaitResult::ready;
  }
  return wait_for_fd(PQsocket(handle), WaitFor::readable, timeout_ms, interrupt);
}

std::string last_message(const PGconn* handle) {
  const char* message = PQerrorMessage(handle);
  return std::string(strip(message != nullptr ? message : ""));
}

ResultHandle execute(Connection& connection, const std::string& statement) {
  tell_statement_timeout(connection);
  return run(connection, statement);
}

ResultHandle execute(Connection& connection, const std::string& statement,
                     const std::vector<std::string>& parameters) {
  tell_statement_timeout(connection);
  std::vector<const char*> values;
  values.reserve(parameters.size());
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  if (PQsendQueryParams(handle_of(connection), statement.c_str(), static_cast<int>(values.size()),
                        nullptr, values.data(), nullptr, nullptr, 0) == 0)
    throw_lost(connection);
  return collect(connection);
}

ResultHandle next_result(Connection& connection) {
  wait_until_ready(connection, answer_deadline(connection.state()));
  ResultHandle result(PQgetResult(handle_of(connection)));
  if (result && !is_success(PQresultStatus(result.get())))
    throw_result_error(connection, result.get());
  return result;
}

void throw_result_error(Connection& connection, const PGresult* result) {
  const auto field = [&](int code) {
    const char* text = result != nullptr ? PQresultErrorField(result, code) : nullptr;
    return std::string(strip(text != nullptr ? text : ""));
  };
  std::string sqlstate = field(PG_DIAG_SQLSTATE);
  std::string message = field(PG_DIAG_MESSAGE_PRIMARY);
  if (sqlstate.empty() || !connection.is_open()) {
    if (message.empty()) throw_lost(connection);
    connection.close();
    throw Error(ErrorKind::connection, "lost the connection to PostgreSQL: " + message,
                "Check that PostgreSQL still runs, and its log.");
  }
  const std::string detail = field(PG_DIAG_MESSAGE_DETAIL);
  std::string hint = field(PG_DIAG_MESSAGE_HINT);
  if (!detail.empty()) hint = hint.empty() ? detail : detail + " " + hint;
  if (hint.empty() && sqlstate == "42501") {
    hint = fmt::format("Grant the privilege to the role \"{}\".", connection.user());
  }
  if (hint.empty() && sqlstate == "57014") hint = "Try again when the server is less busy.";
  throw SqlError(std::move(sqlstate), std::move(message), std::move(hint));
}

std::optional<std::string> find_text(const PGresult* result, int row, int column) {
  if (row >= PQntuples(result) || column >= PQnfields(result) ||
      PQgetisnull(result, row, column) != 0)
    return std::nullopt;
  return std::string(PQgetvalue(result, row, column),
                     static_cast<std::size_t>(PQgetlength(result, row, column)));
}

std::string get_text(const PGresult* result, int row, int column) {
  std::optional<std::string> text = find_text(result, row, column);
  if (!text) {
    throw Error(ErrorKind::corrupt,
                fmt::format("unexpected answer of PostgreSQL: no value in row {}, column {}",
                            row + 1, column + 1),
                "Check that the connection string leads to a PostgreSQL server.");
  }
  return *std::move(text);
}

}  // namespace barman::postgres
